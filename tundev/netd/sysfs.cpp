#include "netd/sysfs.hpp"

#include <filesystem>
#include <fstream>

namespace device {

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
