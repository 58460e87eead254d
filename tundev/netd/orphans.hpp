#pragma once
#include "net/netlink.hpp"
#include "netd/guard.hpp"

#include <optional>
#include <vector>

namespace device {

namespace net = tunnel::net;

/// Tunnels that outlived the netd that made them, because an agent holds their descriptor: with
/// their addresses, and with the kernel's memory of what was translated for them. They wait here
/// for that agent to have them taken over (Netd::adopt_session), guarded. The destructor deletes
/// the rest.
class Orphans {
 public:
  /// @param laptop  the network on a master's port
  /// @throws net::NetError
  Orphans(net::Netlink& netlink, Guard& guard, const tunnel::Ipv4Prefix& laptop);
  ~Orphans();
  Orphans(Orphans&&) = delete;

  const std::vector<net::LinkInfo>& links() const { return links_; }
  bool empty() const { return links_.empty(); }
  /// One of them is of an L2 session.
  bool has_tap() const;
  /// It has been taken over.
  void release(int index);

 private:
  net::Netlink& netlink_;
  std::vector<net::LinkInfo> links_;
  std::optional<Guarded> guarded_;
};

}  // namespace device
