#include "net/policy_routes.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"
#include "net/ours.hpp"
#include "net/rule_message.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>

namespace tunnel::net {
namespace {

/// Packets that this machine itself sends come in by the loopback device, as rules see it
/// (ip-rule(8)).
constexpr char own_packets[] = "lo";

using HostRoute = PolicyRoutes::HostRoute;
using Rule = PolicyRoutes::Rule;

std::string describe(const HostRoute& route) {
  return fmt::format("route {}{} table {}", route.link_index == 0 ? "unreachable " : "",
                     route.destination.str(), route.table);
}

RuleInfo to_info(const Rule& rule) {
  RuleInfo info;
  info.priority = rule.priority;
  info.table = rule.table;
  info.iif = own_packets;
  if (rule.from) info.from = Ipv4Prefix{*rule.from, 32};
  info.protocol = our_protocol;
  return info;
}

unsigned char scope_of(const HostRoute& route) {
  const bool direct = route.link_index != 0 && route.gateway.value == 0;
  return direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

Message make_request(int type, int flags, const HostRoute& route) {
  rtmsg fixed{};
  fixed.rtm_family = AF_INET;
  fixed.rtm_dst_len = 32;
  fixed.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says it
  fixed.rtm_protocol = our_protocol;
  fixed.rtm_scope = scope_of(route);
  // As the default route it came from: its gateway may be outside the link's prefix.
  if (route.gateway.value != 0) fixed.rtm_flags = RTNH_F_ONLINK;
  fixed.rtm_type = route.link_index == 0 ? RTN_UNREACHABLE : RTN_UNICAST;
  Message request{type, flags, fixed};
  request.put_u32(RTA_TABLE, route.table);
  request.put_address(RTA_DST, route.destination);
  if (route.link_index != 0) request.put_u32(RTA_OIF, static_cast<std::uint32_t>(route.link_index));
  if (route.gateway.value != 0) request.put_address(RTA_GATEWAY, route.gateway);
  return request;
}

/// Reads one RTM_NEWROUTE; nothing when it is no host route of ours.
std::optional<HostRoute> parse_route(const nlmsghdr& header) {
  const auto& fixed = *static_cast<const rtmsg*>(nlmsg_data(&header));
  if (fixed.rtm_protocol != our_protocol || fixed.rtm_dst_len != 32) return std::nullopt;
  HostRoute route{.table = fixed.rtm_table};
  for_each_attribute(header, sizeof fixed, [&](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case RTA_TABLE: route.table = read_u32(attribute); break;
      case RTA_DST: route.destination = read_address(attribute); break;
      case RTA_GATEWAY: route.gateway = read_address(attribute); break;
      case RTA_OIF: route.link_index = static_cast<int>(read_u32(attribute)); break;
      default: break;
    }
  });
  return route;
}

template <class T>
bool holds(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

PolicyRoutes::~PolicyRoutes() try { apply({}); } catch (const std::exception& error) {
  log::warn("cannot undo a change of the kernel's network", {log::reason(error.what())});
}

std::vector<HostRoute> PolicyRoutes::list_routes() {
  std::vector<HostRoute> found;
  rtmsg fixed{};
  fixed.rtm_family = AF_INET;
  Message list{RTM_GETROUTE, NLM_F_DUMP, fixed};
  netlink_.socket().dump(list, "list routes", [&](const nlmsghdr& header) {
    const auto route = parse_route(header);
    if (route && route->table >= range_.first_table && route->table <= range_.last_table)
      found.push_back(*route);
  });
  return found;
}

std::vector<Rule> PolicyRoutes::list_own_rules() {
  std::vector<Rule> found;
  for (const auto& info : list_rules(netlink_)) {
    if (!info.plain || info.protocol != our_protocol || info.iif != own_packets || info.to)
      continue;
    if (info.priority < range_.first_priority || info.priority > range_.last_priority) continue;
    Rule rule{.priority = info.priority, .from = {}, .table = info.table};
    if (info.from) rule.from = info.from->address;
    found.push_back(rule);
  }
  return found;
}

/// @param gone  errno that means: somebody was faster, there is nothing to do
/// @return whether anything was changed
bool PolicyRoutes::request(Message message, const std::string& attempted, int gone) {
  const auto outcome = netlink_.socket().transact(message);
  if (outcome.error && outcome.error.value() != gone) throw NetError{outcome.error, attempted};
  return !outcome.error;
}

std::size_t PolicyRoutes::apply(const Desired& desired) {
  constexpr int create = NLM_F_CREATE | NLM_F_EXCL;
  std::size_t changes = 0;
  const auto routes = list_routes();
  const auto rules = list_own_rules();
  for (const auto& route : routes)
    if (!holds(desired.routes, route))
      changes += request(make_request(RTM_DELROUTE, 0, route), "delete " + describe(route), ESRCH);
  for (const auto& route : desired.routes)
    if (!holds(routes, route))
      changes += request(make_request(RTM_NEWROUTE, create, route), "add " + describe(route), 0);
  for (const auto& rule : desired.rules)
    if (!holds(rules, rule))
      changes += request(make_rule_request(RTM_NEWRULE, create, to_info(rule)),
                         "add " + net::describe(to_info(rule)), 0);
  for (const auto& rule : rules)
    if (!holds(desired.rules, rule))
      changes += request(make_rule_request(RTM_DELRULE, 0, to_info(rule)),
                         "delete " + net::describe(to_info(rule)), ENOENT);
  return changes;
}

}  // namespace tunnel::net
