#pragma once
#include "net/netlink.hpp"

namespace tunnel::net {

/// Turns back what goes out by the link `from` to the MAC address of the link `to`: it comes in by
/// `to` instead, as if its wire had brought it (tc(8): clsact, u32, mirred). Marks of a frame stay.
///
/// Everything stands on `from`: it dies with that link, and with this object. What an earlier
/// process had there in the same place is replaced.
class IngressRedirect {
 public:
  /// @throws NetError; then `from` has no such redirection
  IngressRedirect(Netlink& netlink, const LinkInfo& from, const LinkInfo& to);
  ~IngressRedirect();
  IngressRedirect(IngressRedirect&&) = delete;

 private:
  Netlink& netlink_;
  LinkInfo from_;
};

}  // namespace tunnel::net
