#pragma once
#include <string>

/// The little about a link that only /sys/class/net tells.
namespace device {

bool is_wireless(const std::string& link);

/// DEVTYPE of the link's uevent: "wlan", "wwan", "bridge"…; "" when it has none.
std::string devtype(const std::string& link);

}  // namespace device
