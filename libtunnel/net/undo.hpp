#pragma once
#include "net/netlink_socket.hpp"

#include <initializer_list>
#include <string_view>

namespace tunnel::net {

/// Undoes something on behalf of a destructor: whatever happens, it is at most logged. Used inside
/// this folder only.
///
/// @param attempted  e.g. "delete rule iif usb0 lookup 1"
/// @param gone       errno values that mean that it has gone by itself (unplugged): silence
void undo(NetlinkSocket& socket, Message& request, std::string_view attempted,
          std::initializer_list<int> gone) noexcept;

}  // namespace tunnel::net
