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

}  // namespace tunnel::net
