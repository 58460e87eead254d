#include "net/ip_rule.hpp"

#include "net/ours.hpp"
#include "net/rule_message.hpp"
#include "net/undo.hpp"

#include <linux/rtnetlink.h>

#include <cerrno>

namespace tunnel::net {
namespace {

RuleInfo to_rule(const IpRule::Spec& spec) {
  return {.priority = spec.priority,
          .table = spec.table,
          .iif = spec.iif,
          .from = {},
          .to = spec.to,
          .protocol = our_protocol};
}

}  // namespace

IpRule::IpRule(Netlink& netlink, const Spec& spec) : netlink_{netlink}, spec_{spec} {
  const auto rule = to_rule(spec_);
  auto request = make_rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
  netlink_.socket().request(request, "add " + describe(rule));
}

IpRule::~IpRule() {
  undo(
      netlink_.socket(), [&] { return make_rule_request(RTM_DELRULE, 0, to_rule(spec_)); },
      [&] { return "delete " + describe(to_rule(spec_)); }, {ENOENT});
}

}  // namespace tunnel::net
