#pragma once
#include "base/ipv4.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tunnel::net {

/// One IPv4 policy-routing rule as the kernel has it; used inside this folder only.
struct RuleInfo {
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::string iif;                 ///< "": any
  std::optional<Ipv4Prefix> from;  ///< nothing: from anywhere
  std::optional<Ipv4Prefix> to;    ///< nothing: anywhere
  std::uint8_t protocol = 0;
  /// Nothing but the fields above selects packets, and the action is "lookup table".
  bool plain = true;
};

std::vector<RuleInfo> list_rules(Netlink& netlink);

/// @param type  RTM_NEWRULE or RTM_DELRULE; deleting takes away only a rule that has all of this,
/// the protocol included
Message make_rule_request(int type, int flags, const RuleInfo& rule);

/// "rule iif usb0 to 192.168.38.224/29 lookup 1"
std::string describe(const RuleInfo& rule);

}  // namespace tunnel::net
