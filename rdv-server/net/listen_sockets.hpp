#pragma once
#include "base/unique_fd.hpp"
#include "config.hpp"
#include "net/signal.hpp"
#include "net/start_error.hpp"

#include <vector>

namespace rdv {

/// Connections that TCP has accepted and we have not: the storm of a whole fleet that comes back
/// fits in.
inline constexpr int listen_backlog = 512;

/// The sockets to accept on: `inherited` ones (socket activation) when there are any, else one for
/// each of `endpoints`. An address of a family that this machine does not have (no IPv6) is left
/// out with a warning, unless it is the only one.
///
/// @throws StartError  the port is taken, not allowed, or not an address of this machine
std::vector<tcp::acceptor> open_listen_sockets(const asio::any_io_executor& executor,
                                               const std::vector<Endpoint>& endpoints,
                                               std::vector<tunnel::UniqueFd> inherited);

}  // namespace rdv
