#include "cli/mode_text.hpp"

#include <fmt/format.h>

#include <vector>

namespace device::cli {

std::string l2_notice(std::string_view onsite) {
  return fmt::format(
      "mode L2 joins the laptop's port to the LAN of {}, as by a cable: the laptop gets its "
      "address from the customer's DHCP server. Its cable goes dead for a second when the session "
      "begins and when it ends, so that it asks again; if it does not, renew it there (pull the "
      "cable for a second, or: dhclient, ipconfig /renew). This device gives no addresses on that "
      "port meanwhile; it answers only a laptop that keeps its present one",
      onsite);
}

bool sits_on_port(std::string_view ssh_connection, std::string_view port,
                  std::string_view port_address) {
  std::vector<std::string_view> words;
  while (!ssh_connection.empty()) {
    const auto end = std::min(ssh_connection.find(' '), ssh_connection.size());
    if (end > 0) words.push_back(ssh_connection.substr(0, end));
    ssh_connection.remove_prefix(std::min(end + 1, ssh_connection.size()));
  }
  const auto own = port_address.substr(0, port_address.find('/'));
  if (words.size() != 4) return false;
  const auto scope = words[2].find('%');
  return scope == words[2].npos ? !own.empty() && words[2] == own
                                : !port.empty() && words[2].substr(scope + 1) == port;
}

std::string cut_off_notice() {
  return "your ssh comes by that port and will be cut off; unless somebody confirms the mode on "
         "this "
         "device within 30 s (masterdev --confirm), L3 comes back, and your ssh with it";
}

std::string confirm_notice(std::string_view mode, std::uint64_t seconds, bool enter) {
  const auto* other = mode == "L2" ? "L3" : "L2";
  if (enter)
    return fmt::format(
        "the mode is {} now; press Enter within {} s to keep it, or it returns to {} by itself",
        mode, seconds, other);
  return fmt::format(
      "confirm it within {} s with: masterdev --confirm; otherwise mode {} comes back", seconds,
      other);
}

}  // namespace device::cli
