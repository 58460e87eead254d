#include "net/rule_message.hpp"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace tunnel::net {
namespace {

RuleInfo parse_rule(const nlmsghdr& header) {
  RuleInfo rule;
  rule.plain = false;
  if (nlmsg_valid_hdr(&header, sizeof(fib_rule_hdr)) == 0) return rule;
  const auto& fixed = *static_cast<const fib_rule_hdr*>(nlmsg_data(&header));
  rule.table = fixed.table;
  rule.plain =
      fixed.action == FR_ACT_TO_TBL && fixed.tos == 0 && (fixed.flags & FIB_RULE_INVERT) == 0;
  for_each_attribute(header, sizeof fixed, [&](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case FRA_PRIORITY: rule.priority = read_u32(attribute); break;
      case FRA_TABLE: rule.table = read_u32(attribute); break;
      case FRA_IIFNAME: rule.iif = read_text(attribute); break;
      case FRA_SRC: rule.from = Ipv4Prefix{read_address(attribute), fixed.src_len}; break;
      case FRA_DST: rule.to = Ipv4Prefix{read_address(attribute), fixed.dst_len}; break;
      case FRA_PROTOCOL: rule.protocol = read_u8(attribute); break;
      case FRA_SUPPRESS_PREFIXLEN:  // always there; all ones when not used
        if (read_u32(attribute) != ~0U) rule.plain = false;
        break;
      default: rule.plain = false; break;
    }
  });
  return rule;
}

}  // namespace

std::vector<RuleInfo> list_rules(Netlink& netlink) {
  std::vector<RuleInfo> all;
  fib_rule_hdr fixed{};
  fixed.family = AF_INET;
  Message request{RTM_GETRULE, NLM_F_DUMP, fixed};
  netlink.socket().dump(request, "list rules",
                        [&](const nlmsghdr& header) { all.push_back(parse_rule(header)); });
  return all;
}

Message make_rule_request(int type, int flags, const RuleInfo& rule) {
  fib_rule_hdr fixed{};
  fixed.family = AF_INET;
  fixed.action = FR_ACT_TO_TBL;
  fixed.dst_len = rule.to ? rule.to->length : std::uint8_t{0};
  fixed.src_len = rule.from ? rule.from->length : std::uint8_t{0};
  fixed.table = RT_TABLE_UNSPEC;  // FRA_TABLE says it
  Message request{type, flags, fixed};
  request.put_u32(FRA_TABLE, rule.table);
  request.put_u32(FRA_PRIORITY, rule.priority);
  request.put_u8(FRA_PROTOCOL, rule.protocol);
  if (!rule.iif.empty()) request.put_text(FRA_IIFNAME, rule.iif);
  if (rule.from) request.put_address(FRA_SRC, rule.from->address);
  if (rule.to) request.put_address(FRA_DST, rule.to->address);
  return request;
}

std::string describe(const RuleInfo& rule) {
  std::string text = "rule";
  if (!rule.iif.empty()) text += " iif " + rule.iif;
  if (rule.from) text += " from " + rule.from->str();
  if (rule.to) text += " to " + rule.to->str();
  return text +
         (rule.table == RT_TABLE_LOCAL ? " lookup local" : fmt::format(" lookup {}", rule.table));
}

}  // namespace tunnel::net
