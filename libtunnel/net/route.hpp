#pragma once
#include "base/ipv4.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <string>

namespace tunnel::net {

/// One IPv4 route in one table, of `our_protocol`.
class Route {
 public:
  enum class Type {
    unicast,
    unreachable,  ///< the sender gets ICMP "host unreachable"; takes neither link nor gateway
  };
  struct Spec {
    Ipv4Prefix destination = {{}, 0};  ///< 0.0.0.0/0: default. Host bits must be 0.
    std::uint32_t table = 254;         ///< 254: main
    Type type = Type::unicast;
    std::string link = {};     ///< where the packets go out
    Ipv4Address gateway = {};  ///< 0.0.0.0: none, the destination is on the link
    std::uint32_t metric = 0;  ///< lower wins
  };
  /// The metric of a guard route: worse than any other, as systemd-networkd and ip(8)'s users have
  /// it.
  static constexpr std::uint32_t guard_metric = 4278198272;

  /// @throws NetError EEXIST when the table has a route with that destination and metric, whoever
  /// put it there; then
  ///         nothing was changed.
  Route(Netlink& netlink, const Spec& spec);
  ~Route();
  Route(Route&&) = delete;

 private:
  Netlink& netlink_;
  int index_;
  Spec spec_;
};

}  // namespace tunnel::net
