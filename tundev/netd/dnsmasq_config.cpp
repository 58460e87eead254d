#include "netd/dnsmasq_config.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace device {
namespace {

bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 && name != "localhost" &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-';
         });
}

/// No host of a customer's network: RFC 6890 without the private networks, multicast and class E.
constexpr tunnel::Ipv4Prefix no_hosts[] = {{{0x00000000}, 8},   // 0.0.0.0: this network
                                           {{0x7f000000}, 8},   // 127.0.0.0: loopback
                                           {{0xa9fe0000}, 16},  // 169.254.0.0: link-local
                                           {{0xe0000000}, 3}};  // 224.0.0.0 and above
bool may_be_host(tunnel::Ipv4Address address) {
  return std::none_of(std::begin(no_hosts), std::end(no_hosts),
                      [&](const tunnel::Ipv4Prefix& prefix) { return prefix.contains(address); });
}

/// Where the laptop's addresses are: the longer of the two parts that our address leaves.
std::pair<tunnel::Ipv4Address, tunnel::Ipv4Address> range(const tunnel::Ipv4Prefix& ours) {
  const std::uint32_t first = ours.network().address.value + 1;
  const std::uint32_t last = (ours.address.value | ~ours.mask()) - 1;
  const std::uint32_t us = ours.address.value;
  if (us - first > last - us) return {{first}, {us - 1}};
  return {{us + 1}, {last}};
}

}  // namespace

DnsmasqPaths DnsmasqPaths::in(const std::filesystem::path& runtime_dir) {
  return {.config = runtime_dir / "dnsmasq.conf",
          .servers = runtime_dir / "dnsmasq.servers",
          .leases = runtime_dir / "dnsmasq.leases",
          .pid = runtime_dir / "dnsmasq.pid"};
}

std::string dnsmasq_config(const std::string& port, const tunnel::Ipv4Prefix& ours,
                           std::string_view hostname, const DnsmasqPaths& paths) {
  const auto [first, last] = range(ours);
  const auto us = ours.address.str();
  const auto netmask = tunnel::Ipv4Address{ours.mask()}.str();
  auto text = fmt::format(
      R"(# Written by tundev-netd at each start of dnsmasq.
interface={port}
except-interface=lo
bind-dynamic
user=
pid-file={pid}
log-facility=-
no-hosts
no-resolv
no-poll
servers-file={servers}
cache-size=1000
dhcp-range={first},{last},{netmask},{seconds}
dhcp-authoritative
dhcp-rapid-commit
no-ping
dhcp-ignore-names
dhcp-option=option:router,{us}
dhcp-option=option:dns-server,{us}
dhcp-leasefile={leases}
)",
      fmt::arg("port", port), fmt::arg("servers", paths.servers.string()),
      fmt::arg("leases", paths.leases.string()), fmt::arg("pid", paths.pid.string()),
      fmt::arg("first", first.str()), fmt::arg("last", last.str()), fmt::arg("netmask", netmask),
      fmt::arg("seconds", lease_seconds), fmt::arg("us", us));
  if (is_host_name(hostname)) text += fmt::format("host-record={},{}\n", hostname, us);
  return text;
}

std::string dnsmasq_servers(const std::vector<tunnel::Ipv4Address>& dns,
                            const std::string& tunnel) {
  std::string text;
  for (const auto& server : dns)
    if (may_be_host(server)) text += fmt::format("server={}@{}\n", server.str(), tunnel);
  return text;
}

}  // namespace device
