#pragma once
#include "base/ipv4.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace tunnel::net {

/// One IPv4 policy-routing rule, `iif <iif> [to <to>] lookup <table>`, of `our_protocol`. It
/// outlives its link: an unplugged port's rule is there until this object goes, and holds again for
/// a link of that name.
class IpRule {
 public:
  struct Spec {
    std::string iif;  ///< link the packets come in by, e.g. "usb0"; need not exist
    std::optional<Ipv4Prefix> to = {};  ///< only packets to there
    std::uint32_t table = 0;            ///< routing table to look up; 255: local
    std::uint32_t priority = 0;  ///< lower is tried first; the kernel's own are 0, 32766 and 32767
  };

  /// @throws NetError EEXIST when we have the same rule already; then nothing was changed. A
  /// foreign rule of another
  ///         protocol may stand beside it.
  IpRule(Netlink& netlink, const Spec& spec);
  ~IpRule();
  IpRule(IpRule&&) = delete;

 private:
  Netlink& netlink_;
  Spec spec_;
};

}  // namespace tunnel::net
