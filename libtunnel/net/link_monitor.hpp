#pragma once
#include "net/netlink.hpp"

#include <cstdint>
#include <vector>

namespace tunnel::net {

/// Something changed in the kernel. Only the fields named with the kind are set.
struct LinkEvent {
  enum class Kind {
    link_changed,     ///< `link`: new, renamed, up, down, carrier; the kernel also repeats what is
                      ///< known already
    link_removed,     ///< `link`
    address_added,    ///< `address`
    address_removed,  ///< `address`
    route_changed,    ///< `default_route`, `table`: a route came or went
    resync,           ///< events were lost: read links, addresses and routes again
  };
  Kind kind = Kind::resync;
  LinkInfo link = {};
  AddressInfo address = {};
  bool default_route = false;  ///< the route is a default route
  std::uint32_t table = 0;     ///< of the route; 254: main
};

/// Hears of links, IPv4 addresses and IPv4 routes. Not thread safe.
///
/// The kernel is silent about IPv4 routes that go because their link went down or away: a link
/// event means that routes may have changed, too. Make it before reading the state with Netlink, so
/// that nothing falls in between.
class LinkMonitor {
 public:
  /// Read per call, so that a flood does not stop the caller.
  static constexpr std::size_t datagrams_max = 64;

  /// @throws NetError
  LinkMonitor();

  /// Non-blocking; readable while there are events. Borrowed.
  int fd() const noexcept;

  /// What has happened since the last call, oldest first; empty when nothing has. Never blocks.
  /// After `datagrams_max` the descriptor simply stays readable.
  /// @throws NetError when the socket is unusable; make another
  std::vector<LinkEvent> read_events();

 private:
  std::unique_ptr<nl_sock, Freed<nl_socket_free>> socket_;
};

}  // namespace tunnel::net
