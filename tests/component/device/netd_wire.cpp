#include "netd_wire.hpp"

#include "base/ipv4.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace netd_test {
namespace {

constexpr int poll_ms = 20;
constexpr int reach_ms = 1000;

sockaddr_in endpoint(const std::string& address, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  return to;
}

tunnel::UniqueFd socket_on(const Host& host, int domain, int type, int protocol = 0) {
  int fd = -1;
  host.enter([&] { fd = ::socket(domain, type | SOCK_CLOEXEC, protocol); });
  BOOST_REQUIRE(fd >= 0);
  return tunnel::UniqueFd{fd};
}

bool readable(int fd, int ms) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, ms) == 1;
}

std::string verdict(int error) {
  if (error == 0) return "open";
  if (error == ECONNREFUSED) return "refused";
  if (error == EHOSTUNREACH || error == ENETUNREACH || error == EACCES) return "prohibited";
  return std::strerror(error);
}

/// Makes an answer of one question in place: one A record that points to the question's name.
std::size_t answer_dns(std::array<char, 2048>& packet, std::size_t bytes) {
  if (bytes < 12) return 0;
  std::size_t end = 12;
  while (end < bytes && packet[end] != 0)
    end += static_cast<unsigned char>(packet[end]) + 1U;
  end += 5;  // the root label, type and class; whatever follows (EDNS) is left out
  constexpr std::array<unsigned char, 8> header{0x81, 0x80, 0, 1, 0, 1, 0, 0};
  std::memcpy(&packet[2], header.data(), header.size());
  packet[10] = packet[11] = 0;
  constexpr std::array<unsigned char, 16> record{0xc0, 12, 0, 1, 0,  1, 0, 0,
                                                 0,    60, 0, 4, 10, 9, 8, 7};
  std::memcpy(&packet[end], record.data(), record.size());
  return end + record.size();
}

Said says(const std::string& wanted, const std::function<std::string()>& probe) {
  return until_nothing([&] {
    const auto said = probe();
    return said == wanted ? "" : fmt::format("it says {}, not {}", said, wanted);
  });
}

}  // namespace

Pump::Pump(int tun_a, int tun_b) : a_{tun_a}, b_{tun_b}, thread_{[this] { run(); }} {}

Pump::~Pump() {
  stop_ = true;
  thread_.join();
}

void Pump::run() {
  std::array<char, 70000> packet;
  while (!stop_) {
    std::array<pollfd, 2> ends{{{a_, POLLIN, 0}, {b_, POLLIN, 0}}};
    ::poll(ends.data(), ends.size(), poll_ms);
    for (const auto& [from, to] : {std::pair{a_, b_}, std::pair{b_, a_}})
      for (ssize_t n; (n = ::read(from, packet.data(), packet.size())) > 0;)
        if (::write(to, packet.data(), static_cast<std::size_t>(n)) < 0) break;
  }
}

Service::Service(const Host& host, Kind kind, std::uint16_t port)
    : kind_{kind}, socket_{socket_on(host, AF_INET, kind == Kind::tcp ? SOCK_STREAM : SOCK_DGRAM)} {
  const auto at = endpoint("0.0.0.0", port);
  BOOST_REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  if (kind == Kind::tcp) ::listen(socket_.get(), 16);
  thread_ = std::thread{[this] { run(); }};
}

Service::~Service() {
  stop_ = true;
  thread_.join();
}

void Service::run() {
  std::array<char, 2048> packet;
  while (!stop_) {
    if (!readable(socket_.get(), poll_ms)) continue;
    if (kind_ == Kind::tcp) {
      const tunnel::UniqueFd accepted{::accept(socket_.get(), nullptr, nullptr)};
      continue;
    }
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto n = ::recvfrom(socket_.get(), packet.data(), packet.size() - 64, 0,
                              reinterpret_cast<sockaddr*>(&from), &length);
    if (n <= 0) continue;
    auto bytes = static_cast<std::size_t>(n);
    if (kind_ == Kind::dns) bytes = answer_dns(packet, bytes);
    ::sendto(socket_.get(), packet.data(), bytes, 0, reinterpret_cast<sockaddr*>(&from), length);
  }
}

std::string reach_tcp(const Host& from, const std::string& address, std::uint16_t port) {
  const auto socket = socket_on(from, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  const auto to = endpoint(address, port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
    return "open";
  if (errno != EINPROGRESS) return verdict(errno);
  pollfd poll{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&poll, 1, reach_ms) != 1) return "silence";
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return verdict(error);
}

std::string reach_udp(const Host& from, const std::string& address, std::uint16_t port) {
  const auto socket = socket_on(from, AF_INET, SOCK_DGRAM);
  const auto to = endpoint(address, port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return verdict(errno);
  if (::send(socket.get(), "hello", 5, 0) != 5) return verdict(errno);
  if (!readable(socket.get(), reach_ms)) return "silence";
  std::array<char, 16> answer;
  return ::recv(socket.get(), answer.data(), answer.size(), 0) == 5 ? "open" : verdict(errno);
}

std::string ping(const Host& from, const std::string& address, const std::string& options) {
  const auto output = from.run("ping -n -c1 -W1 " + options + " " + address);
  if (output.code == 0) return "answer";
  const bool told = output.text.find("nreachable") != std::string::npos ||
                    output.text.find("filtered") != std::string::npos ||
                    output.text.find("rohibited") != std::string::npos;
  return told ? "unreachable" : "silence";
}

Said tcp_says(const Host& from, const std::string& address, std::uint16_t port,
              const std::string& wanted) {
  return says(wanted, [&] { return reach_tcp(from, address, port); });
}

Said udp_says(const Host& from, const std::string& address, std::uint16_t port,
              const std::string& wanted) {
  return says(wanted, [&] { return reach_udp(from, address, port); });
}

Said ping_says(const Host& from, const std::string& address, const std::string& wanted,
               const std::string& options) {
  return says(wanted, [&] { return ping(from, address, options); });
}

Ear::Ear(const Host& host, const std::string& link)
    : socket_{socket_on(host, AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL))} {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ALL);
  host.enter([&] { to.sll_ifindex = static_cast<int>(::if_nametoindex(link.c_str())); });
  BOOST_REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
}

int Ear::heard(const std::string& prefix) {
  const auto wanted = *tunnel::Ipv4Prefix::parse(prefix);
  int count = 0;
  std::array<char, 2048> packet;
  for (ssize_t n; (n = ::recv(socket_.get(), packet.data(), packet.size(), 0)) > 0;) {
    iphdr header{};
    if (static_cast<std::size_t>(n) < sizeof header) continue;
    std::memcpy(&header, packet.data(), sizeof header);
    if (header.version != 4) continue;
    if (wanted.contains({ntohl(header.saddr)}) || wanted.contains({ntohl(header.daddr)})) ++count;
  }
  return count;
}

}  // namespace netd_test
