#pragma once
#include "base/ipv4.hpp"
#include "net/netlink.hpp"

#include <string>

namespace tunnel::net {

/// One IPv4 address on one link, with the connected route the kernel makes for it. It carries
/// `our_protocol`.
class Address {
 public:
  struct Spec {
    std::string link;
    Ipv4Prefix address;  ///< e.g. 192.168.38.225/29; the broadcast address follows from it (none
                         ///< for /31 and /32)
    bool may_be_there = false;  ///< then it is taken over, and nothing is changed
  };

  /// @throws NetError EEXIST when the link has that address already, whoever put it there; then
  /// nothing was changed.
  Address(Netlink& netlink, const Spec& spec);
  ~Address();
  Address(Address&&) = delete;

 private:
  Netlink& netlink_;
  int index_;
  Spec spec_;
};

}  // namespace tunnel::net
