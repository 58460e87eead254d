#pragma once
#include "base/ipv4.hpp"
#include "net/message.hpp"

#include <nftables/libnftables.h>

#include <memory>
#include <string>
#include <vector>

namespace tunnel::net {

/// The table `inet rdv_guard`: default drop for whatever touches a tunnel, standing even when netd
/// does not.
///
/// - forward hook: drop what comes in or goes out by rdv* or by one of `extremities`;
/// - input hook: drop what comes in by rdv* for this machine itself;
///
/// unless the packet carries permit_mark under permit_mask. And:
///
/// - input hook: drop what belongs to a connection of `translated` whose NAT is gone. A session
///   masquerades it, so its packets meet this machine itself only when netd was killed, and our own
///   TCP would answer them with a reset that ends the customer's or the laptop's connection.
///
/// Its chains have priority `guard_priority`. The session's own table (NftTable) sets the mark on
/// what it permits, in forward and input chains of priority `permit_priority`:
///
///   chain forward { type filter hook forward priority -10; policy accept;
///     iifname "usb0" oifname "rdv0" meta mark set 0x52445600;
///     iifname "rdv0" oifname "usb0" ct state established,related meta mark set 0x52445600; }
///
/// When that table dies with its process nothing sets the mark any more and all is dropped. Packets
/// this machine sends itself are not touched.
///
/// A link named in `extremities` can then forward nothing but sessions' packets; do not name one
/// that was forwarding before we came (a router, a container host), or others' traffic stops.
///
/// It outlives this object on purpose. An administrator's `nft flush ruleset` does remove it: apply
/// it again at each start of a session.
///
/// One object for the whole life of a daemon: closing nft's socket waits 9 to 17 ms for the kernel
/// to free what was replaced (Linux 6.18), where a session's opening would wait for it, too.
class GuardTable {
 public:
  static constexpr int permit_priority = -10;
  static constexpr int guard_priority = 10;

  /// Changes nothing yet. Works in the network namespace of the calling thread from now on.
  /// @throws NetError
  GuardTable();

  /// Makes the table be exactly this, in one transaction; applying it twice changes nothing.
  /// @param extremities  names of links; they need not exist
  /// @param translated   whose connections a session translates; none: connections are not tracked
  /// for us
  /// @throws NetError; then the table is as before.
  void apply(const std::vector<std::string>& extremities,
             const std::vector<Ipv4Prefix>& translated = {});

  /// Removes the table, for de-installation; success also when there is none.
  /// @throws NetError
  void remove();

 private:
  std::unique_ptr<nft_ctx, Freed<nft_ctx_free>> nft_;
};

}  // namespace tunnel::net
