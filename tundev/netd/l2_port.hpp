#pragma once
#include <string>
#include <string_view>

namespace device {

/// What decides whether a link's Ethernet frames can be joined to a tunnel.
struct L2PortFacts {
  std::string name;
  std::string kind;              ///< IFLA_INFO_KIND: "" for hardware, "veth", "bridge"…
  std::string_view uplink_kind;  ///< as uplink_kind(): "lan", "wlan" or "wwan"
  bool ethernet = false;         ///< ARPHRD_ETHER
  bool enslaved = false;         ///< a port of a bridge, bond or team
  bool carrier = false;
};

/// Why no L2 session is possible on this link, as one sentence for a person that says what to do;
/// "" when it is. Pure.
std::string why_not_l2(const L2PortFacts& link);

}  // namespace device
