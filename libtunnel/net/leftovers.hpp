#pragma once
#include "net/netlink.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tunnel::net {

/// What sweep_leftovers() found and removed.
struct Leftovers {
  bool local_rule = false;  ///< the kernel's rule was put back to priority 0
  std::size_t links = 0;    ///< TUN devices of ours, still held open by another process
  std::size_t sysctls = 0;
  std::size_t rules = 0;
  std::size_t routes = 0;
  std::size_t addresses = 0;

  bool any() const { return local_rule || links + sysctls + rules + routes + addresses != 0; }
};

/// Removes what an earlier process of ours left in the kernel when it was killed: everything of
/// `our_protocol`, TUN devices with our name and alias, noted sysctls, the moved local rule. Call
/// it at start, before anything of ours is set up and while no other instance runs. The guard table
/// (guard_table.hpp) stays, nft tables of ours have died.
///
/// @param sysctl_journal  as given to Sysctl; "": there is none
/// @param spared          TUN devices that stay, with their addresses
/// @throws NetError  something could not be removed; everything else was
Leftovers sweep_leftovers(Netlink& netlink, const std::string& sysctl_journal,
                          std::span<const LinkInfo> spared = {});

/// TUN devices of a process of ours that was killed, or of this one: another process still holds
/// them.
/// @throws NetError
std::vector<LinkInfo> list_tunnels(Netlink& netlink);
/// Deletes them, as far as they are there. @return how many were
/// @throws NetError
std::size_t delete_tunnels(Netlink& netlink, std::span<const LinkInfo> tunnels);

}  // namespace tunnel::net
