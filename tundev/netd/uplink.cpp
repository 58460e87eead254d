#include "netd/uplink.hpp"

#include <arpa/inet.h>
#include <net/if_arp.h>

#include <algorithm>
#include <functional>

namespace device {
namespace {

constexpr std::string_view blank = " \t\r";

void for_each_server(std::string_view text, const std::function<void(std::string)>& each) {
  text = text.substr(0, resolv_conf_bytes_max);
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
    constexpr std::string_view keyword = "nameserver";
    if (!line.starts_with(keyword)) continue;
    line.remove_prefix(keyword.size());
    const auto start = line.find_first_not_of(blank);
    if (start == 0 || start == std::string_view::npos) continue;
    line.remove_prefix(start);
    each(std::string{line.substr(0, line.find_first_of(" \t\r#;"))});
  }
}

enum class Server { invalid, loopback, usable };

Server judge(const std::string& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    const auto value = ntohl(v4.s_addr);
    return value == 0 || value >> 24U == 127 ? Server::loopback : Server::usable;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return Server::invalid;
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ? Server::loopback
                                                                   : Server::usable;
}

}  // namespace

std::vector<std::string> parse_resolv_conf(std::string_view text) {
  std::vector<std::string> servers;
  for_each_server(text, [&](std::string server) {
    if (servers.size() >= uplink_dns_max || judge(server) != Server::usable) return;
    if (std::find(servers.begin(), servers.end(), server) == servers.end())
      servers.push_back(std::move(server));
  });
  return servers;
}

bool names_only_resolved(std::string_view text) {
  bool some = false, others = false;
  for_each_server(text, [&](const std::string& server) {
    some = true;
    others |= server != "127.0.0.53" && server != "127.0.0.54";
  });
  return some && !others;
}

std::string_view uplink_kind(std::string_view name, int hardware, bool wireless,
                             std::string_view devtype) {
  if (wireless || devtype == "wlan" || name.starts_with("wl")) return "wlan";
  if (devtype == "wwan" || name.starts_with("wwan") || hardware == ARPHRD_PPP) return "wwan";
  return "lan";
}

}  // namespace device
