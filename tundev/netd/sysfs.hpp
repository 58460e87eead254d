#pragma once
#include <filesystem>
#include <string>

/// The little about a link that only /sys/class/net tells.
namespace device {

/// Where a link's hardware is.
struct LinkPlace {
  bool usb = false;
  /// Of a USB device: the device tree describes it (of_node), so it is soldered on (Pi 2 and 3:
  /// smsc95xx, lan78xx). Of another one: it is a device of the platform (Pi 4, 5).
  bool on_board = false;
};

/// @param sysfs  "/sys", or a recorded tree
LinkPlace place_of(const std::string& link, const std::filesystem::path& sysfs = "/sys");

bool is_wireless(const std::string& link);

/// DEVTYPE of the link's uevent: "wlan", "wwan", "bridge"…; "" when it has none.
std::string devtype(const std::string& link);

}  // namespace device
