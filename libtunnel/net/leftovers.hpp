#pragma once
#include "net/netlink.hpp"

#include <cstddef>
#include <string>

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
/// @throws NetError  something could not be removed; everything else was
Leftovers sweep_leftovers(Netlink& netlink, const std::string& sysctl_journal);

}  // namespace tunnel::net
