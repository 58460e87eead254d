#pragma once
#include "agent/connect_race.hpp"
#include "dial/proxy.hpp"

#include <optional>

namespace device {

/// Asks the proxy at the other end of `socket` for a connection to `server`. On success the next
/// byte of `socket` is the server's.
///
/// @param socket  another one to `hop` afterwards, when the proxy closed the first with its 407
/// @return why not; at the latest at `deadline`
Task<std::optional<DialFailure>> open_tunnel(tcp::socket& socket, tcp::endpoint hop,
                                             HostPort server, Proxy& proxy,
                                             tunnel::Clock::time_point deadline);

}  // namespace device
