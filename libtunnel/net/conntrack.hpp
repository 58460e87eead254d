#pragma once
#include "base/ipv4.hpp"

#include <cstddef>

namespace tunnel::net {

/// Forgets the connections that hosts in `sources` began, so that their next packet is routed and
/// translated anew: a ping that began before the session was open otherwise never takes the tunnel.
/// @param sources  the laptop's address or subnet, matched with the source of the original
/// direction
/// @return how many entries were deleted
/// @throws NetError
std::size_t flush_conntrack(const Ipv4Prefix& sources);

}  // namespace tunnel::net
