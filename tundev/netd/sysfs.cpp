#include "netd/sysfs.hpp"

#include <filesystem>
#include <fstream>

namespace device {

namespace {

namespace fs = std::filesystem;

/// The name of the bus a device of sysfs is on; "" when it has none.
std::string subsystem_of(const fs::path& device) {
  std::error_code ec;
  return fs::read_symlink(device / "subsystem", ec).filename().string();
}

/// The first line of a file of sysfs, without what is behind a NUL; "" when it cannot be read.
std::string line_of(const fs::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line.substr(0, line.find('\0'));
}

/// A Pi whose device tree does not tell of its Ethernet chip: by model, place and chip.
bool is_port_of_pi(const fs::path& usb, const fs::path& sysfs) {
  const auto model = line_of(sysfs / "firmware/devicetree/base/model");
  if (!model.starts_with("Raspberry Pi 2 Model B") && !model.starts_with("Raspberry Pi 3 Model B"))
    return false;
  const auto port = usb.filename();
  const auto chip = line_of(usb / "idVendor") + ':' + line_of(usb / "idProduct");
  return (port == "1-1.1" && chip == "0424:ec00") || (port == "1-1.1.1" && chip == "0424:7800");
}

}  // namespace

LinkPlace place_of(const std::string& link, const fs::path& sysfs) {
  std::error_code ec;
  const auto device = fs::canonical(sysfs / "class/net" / link / "device", ec);
  if (ec) return {};  // virtual
  const auto bus = subsystem_of(device);
  if (bus != "usb") return {.usb = false, .on_board = bus == "platform"};
  // The link belongs to an interface ("1-1.1:1.0") of the USB device ("1-1.1").
  const auto usb = device.parent_path();
  return {.usb = true, .on_board = fs::exists(usb / "of_node", ec) || is_port_of_pi(usb, sysfs)};
}

bool is_wireless(const std::string& link) {
  const auto folder = std::filesystem::path{"/sys/class/net"} / link;
  std::error_code ec;
  return std::filesystem::exists(folder / "phy80211", ec) ||
         std::filesystem::exists(folder / "wireless", ec);
}

std::string devtype(const std::string& link) {
  std::ifstream in{"/sys/class/net/" + link + "/uevent"};
  const std::string key = "DEVTYPE=";
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) return line.substr(key.size());
  return {};
}

}  // namespace device
