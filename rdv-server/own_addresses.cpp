#include "own_addresses.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <ifaddrs.h>
#include <iterator>
#include <memory>
#include <netdb.h>
#include <optional>

namespace rdv {

using tunnel::Ipv4Address;

namespace {

/// Networks whose addresses mean another host elsewhere (RFC 1918, 3927, 6598), and loopback.
constexpr tunnel::Ipv4Prefix local_networks[] = {
    {{0x0a000000}, 8},  {{0xac100000}, 12}, {{0xc0a80000}, 16}, {{0xa9fe0000}, 16},
    {{0x64400000}, 10}, {{0x7f000000}, 8},  {{0x00000000}, 8},
};

std::optional<Ipv4Address> ipv4_of(const sockaddr* address) {
  if (address == nullptr || address->sa_family != AF_INET) return std::nullopt;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
  return Ipv4Address{ntohl(v4->sin_addr.s_addr)};
}

class Collector {
 public:
  /// An address that means this server wherever it is used from.
  void add_global(const sockaddr* address) {
    const auto found = ipv4_of(address);
    const bool local =
        found && std::any_of(std::begin(local_networks), std::end(local_networks),
                             [&](const auto& network) { return network.contains(*found); });
    if (!local) add(address);
  }
  void add(const sockaddr* address) {
    const auto parsed = ipv4_of(address);
    if (!parsed) return;
    const Ipv4Address found = *parsed;
    if (found_.size() == own_addresses_max) return;
    if (std::find(found_.begin(), found_.end(), found) == found_.end()) found_.push_back(found);
  }
  std::vector<Ipv4Address> take() { return std::move(found_); }

 private:
  std::vector<Ipv4Address> found_;
};

}  // namespace

std::vector<Ipv4Address> own_addresses(const Config& config) {
  Collector collector;
  if (!config.public_address.empty()) {
    addrinfo wanted{};
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const auto host = parse_endpoint(config.public_address).host;
    if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) == 0) {
      const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, ::freeaddrinfo};
      for (const auto* entry = found; entry != nullptr; entry = entry->ai_next)
        collector.add(entry->ai_addr);
    }
  }
  ifaddrs* links = nullptr;
  if (::getifaddrs(&links) == 0) {
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner{links, ::freeifaddrs};
    for (const auto* entry = links; entry != nullptr; entry = entry->ifa_next)
      collector.add_global(entry->ifa_addr);
  }
  return collector.take();
}

}  // namespace rdv
