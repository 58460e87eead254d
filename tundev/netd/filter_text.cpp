#include "netd/filter_text.hpp"

#include "net/guard_table.hpp"
#include "net/ours.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

namespace device {

namespace net = tunnel::net;

namespace {

const std::string mark = fmt::format("meta mark set {:#x}", net::permit_mark);

std::string filter_head(std::string_view hook) {
  return fmt::format("type filter hook {} priority {}; policy accept;", hook,
                     net::GuardTable::permit_priority);
}

/// What is never forwarded to, whatever the grant says: RFC 6890 without the private networks.
constexpr const char* never[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"};

std::string denied_set(const std::vector<tunnel::Ipv4Prefix>& deny) {
  std::vector<std::string> elements(std::begin(never), std::end(never));
  for (const auto& prefix : deny)
    elements.push_back(prefix.str());
  return fmt::format(
      "set denied {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {} }}; }}\n",
      fmt::join(elements, ", "));
}

/// The condition on protocol and ports, "" when there is none.
std::string service(const Permit& permit) {
  if (permit.protocol == 0) return "";
  if (permit.first_port == 0) return fmt::format("meta l4proto {} ", permit.protocol);
  if (permit.first_port == permit.last_port)
    return fmt::format("meta l4proto {} th dport {} ", permit.protocol, permit.first_port);
  return fmt::format("meta l4proto {} th dport {}-{} ", permit.protocol, permit.first_port,
                     permit.last_port);
}

/// @param also  another name of `self`, permitted like it
std::string permit_rules(const SessionSetup& setup, tunnel::Ipv4Address self,
                         tunnel::Ipv4Address also) {
  std::string rules;
  for (const auto& permit : setup.allow) {
    rules += fmt::format("  ip daddr {} {}{} accept\n", permit.prefix.network().str(),
                         service(permit), mark);
    if (permit.prefix.contains(self) && !permit.prefix.contains(also))
      rules += fmt::format("  ip daddr {} {}{} accept\n", also.str(), service(permit), mark);
  }
  return rules;
}

}  // namespace

std::string no_way_filter(const std::string& port, const tunnel::Ipv4Prefix& laptop,
                          const std::string& verdict) {
  return fmt::format(
      R"(chain prerouting {{
  type filter hook prerouting priority filter; policy accept;
  ip daddr {{ {laptop}, 224.0.0.0/4, 255.255.255.255 }} accept
  iifname "{port}" {verdict}
}}
)",
      fmt::arg("port", port), fmt::arg("laptop", laptop.network().str()),
      fmt::arg("verdict", verdict));
}

std::string master_filter(const std::string& port, const tunnel::Ipv4Prefix& laptop,
                          const std::string& tunnel) {
  return fmt::format(
      R"(chain forward {{
  {forward}
  iifname "{port}" oifname "{tunnel}" ip saddr {laptop} {mark}
  iifname "{tunnel}" oifname "{port}" ip daddr {laptop} ct state established,related {mark}
}}
chain input {{
  {input}
  iifname "{tunnel}" ct state established,related {mark}
}}
chain postrouting {{
  type nat hook postrouting priority srcnat; policy accept;
  oifname "{tunnel}" masquerade
}}
)",
      fmt::arg("forward", filter_head("forward")), fmt::arg("input", filter_head("input")),
      fmt::arg("port", port), fmt::arg("tunnel", tunnel),
      fmt::arg("laptop", laptop.network().str()), fmt::arg("mark", mark));
}

std::string onsite_filter(const SessionSetup& setup, const std::string& lan,
                          const std::vector<tunnel::Ipv4Address>& own, const std::string& tunnel) {
  const auto master = setup.master_end().address.str();
  const auto here = setup.onsite_end().address;
  std::vector<std::string> names{here.str()};
  for (const auto& address : own)
    names.push_back(address.str());
  const auto self = own.empty() ? here : own.front();
  return denied_set(setup.deny) +
         fmt::format(
             R"(chain permits {{
  ip daddr @denied goto refused
  ct state established,related {mark} accept
{rules}  goto refused
}}
chain refused {{
  limit rate 50/second reject with icmp type admin-prohibited
  drop
}}
chain forward {{
  {forward}
  iifname "{tunnel}" oifname "{lan}" ip saddr {master} goto permits
  iifname "{tunnel}" ip saddr {master} goto refused
  iifname "{lan}" oifname "{tunnel}" ip daddr {master} ct state established,related {mark}
}}
chain input {{
  {input}
  iifname "{tunnel}" ip saddr {master} ip daddr {here} icmp type echo-request {mark} accept
  iifname "{tunnel}" ip saddr {master} ip daddr {{ {names} }} goto permits
}}
chain postrouting {{
  type nat hook postrouting priority srcnat; policy accept;
  oifname "{lan}" ip saddr {master} masquerade
}}
)",
             fmt::arg("mark", mark), fmt::arg("rules", permit_rules(setup, self, here)),
             fmt::arg("forward", filter_head("forward")), fmt::arg("input", filter_head("input")),
             fmt::arg("tunnel", tunnel), fmt::arg("lan", lan), fmt::arg("master", master),
             fmt::arg("here", here.str()), fmt::arg("names", fmt::join(names, ", ")));
}

}  // namespace device
