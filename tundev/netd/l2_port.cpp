#include "netd/l2_port.hpp"

#include <fmt/format.h>

namespace device {
namespace {

constexpr std::string_view instead =
    "name an Ethernet port in device.toml ([onsite] interface), or use L3 mode";

}  // namespace

std::string why_not_l2(const L2PortFacts& link) {
  if (link.uplink_kind == "wlan")
    return fmt::format(
        "{} is Wi-Fi, where a device can send with its own MAC address only: nobody else's frames "
        "can be carried there; connect it by cable, or use L3 mode",
        link.name);
  if (link.uplink_kind == "wwan" || !link.ethernet)
    return fmt::format("{} carries no Ethernet frames (mobile or point-to-point); {}", link.name,
                       instead);
  if (link.enslaved)
    return fmt::format("{} belongs to a bridge or bond already; {}", link.name, instead);
  if (!link.kind.empty() && link.kind != "veth")
    return fmt::format("{} is virtual ({}); {}", link.name, link.kind, instead);
  if (!link.carrier)
    return fmt::format("{} has no carrier: is its cable plugged in at both ends?", link.name);
  return "";
}

}  // namespace device
