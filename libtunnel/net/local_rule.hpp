#pragma once
#include "net/netlink.hpp"

#include <cstdint>

namespace tunnel::net {

/// Moves the kernel's rule `0: from all lookup local` to a later priority, and back.
///
/// Why: nothing can be tried before priority 0, so a packet of the laptop to an address that this
/// machine also has (the master's own 192.168.1.10) would never get to a rule that sends it into
/// the tunnel. The new rule is added before the old one is deleted, both ways: at each moment there
/// is one. Where somebody has moved the rule himself, there is nothing to do nor to undo.
class LocalRule {
 public:
  static constexpr std::uint32_t default_priority = 30;

  /// @throws NetError; then the kernel's rule is where it was.
  explicit LocalRule(Netlink& netlink, std::uint32_t priority = default_priority);
  ~LocalRule();
  LocalRule(LocalRule&&) = delete;

 private:
  Netlink& netlink_;
  bool moved_ = false;
};

/// Puts the kernel's rule back to priority 0 if a rule of ours stands in for it (one that a SIGKILL
/// left behind).
/// @return whether there was anything to do
/// @throws NetError
bool restore_local_rule(Netlink& netlink);

}  // namespace tunnel::net
