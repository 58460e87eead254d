#include "net/leg_socket.hpp"

#include <linux/tcp.h>  // not <netinet/tcp.h>, which does not know tcpi_min_rtt in Debian 12
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace rdv {
namespace {

constexpr int user_timeout_ms = 30'000;
constexpr int unsent_bytes_max = 256 * 1024;
/// Where Reno still keeps 70 Mbit/s when 1 % is lost at random: 1.2 segments / (round trip x
/// sqrt(loss)) (Mathis et al. 1997).
constexpr unsigned short_round_trip_us = 2'000;

std::optional<unsigned> round_trip_us(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  if (length < offsetof(tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt) return std::nullopt;
  return info.tcpi_min_rtt;
}

bool has_congestion_control(int fd, std::string_view name) {
  std::array<char, 16> found{};  // TCP_CA_NAME_MAX
  socklen_t length = found.size();
  return ::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, found.data(), &length) == 0 &&
         name == found.data();
}

/// @return false when the kernel does not have it, or not for us
bool set_congestion_control(int fd, std::string_view name) {
  return ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                      static_cast<socklen_t>(name.size())) == 0;
}

void choose_congestion_control(int fd) {
  const auto round_trip = round_trip_us(fd);
  if (!round_trip) return;
  if (*round_trip >= short_round_trip_us)
    set_congestion_control(fd, "bbr");
  else if (has_congestion_control(fd, "bbr") && !set_congestion_control(fd, "cubic"))
    set_congestion_control(fd, "reno");
}

}  // namespace

void tune_leg(int fd) {
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes_max, sizeof unsent_bytes_max);
  choose_congestion_control(fd);
}

}  // namespace rdv
