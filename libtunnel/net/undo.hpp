#pragma once
#include "net/netlink_socket.hpp"

#include <functional>
#include <initializer_list>
#include <string>

namespace tunnel::net {

/// Undoes something on behalf of a destructor: whatever happens, it is at most logged. Used inside
/// this folder only.
///
/// @param make_request  builds the message; may throw
/// @param attempted     e.g. "delete rule iif usb0 lookup 1"
/// @param gone          errno values that mean that it has gone by itself (unplugged): silence
void undo(NetlinkSocket& socket, const std::function<Message()>& make_request,
          const std::function<std::string()>& attempted, std::initializer_list<int> gone) noexcept;

}  // namespace tunnel::net
