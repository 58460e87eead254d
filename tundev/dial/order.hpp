#pragma once
#include "base/clock.hpp"
#include "dial/host_port.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// What is tried first when a server has several names, addresses and ways. Pure.
namespace device {

using tunnel::Clock;

/// RFC 8305, section 4: the addresses of one name as the resolver sorted them (RFC 6724), the
/// families taken in turn, beginning with that of the first.
template <class Endpoint>
std::vector<Endpoint> interleave(const std::vector<Endpoint>& sorted) {
  std::vector<Endpoint> first, second, mixed;
  for (const auto& endpoint : sorted) {
    const bool as_first = endpoint.address().is_v6() == sorted.front().address().is_v6();
    (as_first ? first : second).push_back(endpoint);
  }
  for (std::size_t i = 0; i < first.size() || i < second.size(); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < second.size()) mixed.push_back(second[i]);
  }
  return mixed;
}

/// One SRV record (RFC 2782).
struct SrvRecord {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;  ///< without the dot at its end; "": the service is not there
};

/// RFC 2782: the lowest priority first; among equals at random, in proportion to their weights.
///
/// @param random  uniform over all 64-bit numbers, asked once per record
std::vector<HostPort> srv_order(std::vector<SrvRecord> records,
                                const std::function<std::uint64_t()>& random);

/// Which servers failed lately: those are tried behind the others.
class ServerMemory {
 public:
  /// So long a server that failed is not the first to be tried.
  static constexpr auto avoid_for = std::chrono::minutes{5};
  /// Failures remembered; the oldest is forgotten.
  static constexpr std::size_t servers_max = 64;

  void on_failed(const HostPort& server, Clock::time_point now);
  void on_good(const HostPort& server) { failed_.erase(server); }
  /// The servers in the order given, then those that failed, the one that failed longest ago first.
  std::vector<HostPort> order(std::vector<HostPort> servers, Clock::time_point now) const;

 private:
  std::map<HostPort, Clock::time_point> failed_;
};

/// How long one server may take when `left` is there for it and `others` behind it: an equal share,
/// and not above 3 s unless it is the last one.
constexpr Clock::duration server_share(Clock::duration left, std::size_t others) {
  if (others == 0) return left;
  return std::min<Clock::duration>(left / static_cast<Clock::rep>(others + 1),
                                   std::chrono::seconds{3});
}

/// How much of `left` the resolver gets: all but 2 s, and never less than half.
constexpr Clock::duration lookup_share(Clock::duration left) {
  return std::max<Clock::duration>(left - std::chrono::seconds{2}, left / 2);
}

}  // namespace device
