#pragma once
#include "net/netlink.hpp"

#include <optional>
#include <string>

namespace tunnel::net {

/// Switches one link on, and off again if we were the ones; likewise its MTU. Two objects on one
/// link must end in reverse order: share one. Nothing happens to a link of the same name that was
/// plugged in later.
class Link {
 public:
  struct Spec {
    std::string name;
    std::optional<int> mtu_bytes = {};  ///< left alone when absent
  };

  /// @throws NetError; then nothing was changed.
  Link(Netlink& netlink, const Spec& spec);
  ~Link();
  Link(Link&&) = delete;

  /// Leaves the link switched on for good: somebody else makes use of it by now.
  void keep() noexcept { before_.up = true; }

 private:
  void restore() noexcept;

  Netlink& netlink_;
  LinkInfo before_;
  Spec spec_;
};

/// Switches one link off, and on again at its end: whoever is at the other end of its cable sees
/// the carrier go and come back. Addresses stay; IPv4 routes that need the link are gone meanwhile,
/// but those of its own addresses come back with it (ip-link(8)).
class LinkOff {
 public:
  /// @throws NetError; then nothing was changed.
  LinkOff(Netlink& netlink, const std::string& name);
  ~LinkOff();
  LinkOff(LinkOff&&) = delete;

 private:
  Netlink& netlink_;
  LinkInfo link_;
};

}  // namespace tunnel::net
