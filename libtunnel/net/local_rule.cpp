#include "net/local_rule.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"
#include "net/ours.hpp"
#include "net/rule_message.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <exception>

namespace tunnel::net {
namespace {

RuleInfo local_rule(std::uint32_t priority, std::uint8_t protocol) {
  return {.priority = priority,
          .table = RT_TABLE_LOCAL,
          .iif = {},
          .from = {},
          .to = {},
          .protocol = protocol};
}

bool is_local(const RuleInfo& rule) {
  return rule.plain && rule.table == RT_TABLE_LOCAL && rule.iif.empty() && !rule.from && !rule.to;
}

bool is_kernels(const RuleInfo& rule) {
  return is_local(rule) && rule.priority == 0;
}

bool is_ours(const RuleInfo& rule) {
  return is_local(rule) && rule.protocol == our_protocol;
}

void add(Netlink& netlink, const RuleInfo& rule, const char* attempted) {
  auto request = make_rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
  netlink.socket().request(request, attempted);
}

void remove(Netlink& netlink, const RuleInfo& rule, const char* attempted) {
  auto request = make_rule_request(RTM_DELRULE, 0, rule);
  netlink.socket().request(request, attempted);
}

}  // namespace

LocalRule::LocalRule(Netlink& netlink, std::uint32_t priority) : netlink_{netlink} {
  bool any = false;
  std::optional<RuleInfo> kernels;
  for (const auto& rule : list_rules(netlink_)) {
    any = any || is_local(rule);
    if (is_kernels(rule)) kernels = rule;
  }
  if (!any) throw NetError{ENOENT, "find the kernel's rule lookup local"};
  if (!kernels) return;
  const auto ours = local_rule(priority, our_protocol);
  add(netlink_, ours, "add a second rule lookup local");
  try {
    remove(netlink_, *kernels, "move the kernel's rule lookup local");
  } catch (...) {
    remove(netlink_, ours, "delete the second rule lookup local");
    throw;
  }
  moved_ = true;
}

LocalRule::~LocalRule() try {
  if (moved_) restore_local_rule(netlink_);
} catch (const std::exception& e) {
  log::warn("cannot undo a change of the kernel's network", {log::reason(e.what())});
}

bool restore_local_rule(Netlink& netlink) {
  const auto rules = list_rules(netlink);
  const auto ours = std::find_if(rules.begin(), rules.end(), is_ours);
  if (ours == rules.end()) return false;
  if (std::none_of(rules.begin(), rules.end(), is_kernels))
    add(netlink, local_rule(0, RTPROT_KERNEL), "put back the kernel's rule lookup local");
  remove(netlink, *ours, "delete the second rule lookup local");
  return true;
}

}  // namespace tunnel::net
