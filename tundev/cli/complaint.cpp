#include "cli/complaint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace device::cli {
namespace {

std::string_view last_word(std::string_view error_name) {
  return error_name.substr(error_name.rfind('.') + 1);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// "host:port" or "[v6]:port" or either without a port -> host without brackets, port or "".
std::pair<std::string_view, std::string_view> split_address(std::string_view address) {
  const auto bracket = address.find(']');
  if (address.starts_with('[') && bracket != std::string_view::npos) {
    const auto rest = address.substr(bracket + 1);
    return {address.substr(1, bracket - 1), rest.starts_with(':') ? rest.substr(1) : ""};
  }
  const auto colon = address.rfind(':');
  const bool bare_v6 = colon != std::string_view::npos && address.find(':') != colon;
  if (colon == std::string_view::npos || bare_v6) return {address, ""};
  return {address.substr(0, colon), address.substr(colon + 1)};
}

struct Advice {
  std::string_view word;  ///< last word of the D-Bus error's name
  std::string_view why;   ///< "": the message itself
  std::string_view next;
};

// Names that are not org.rdv.Error.* are those of the D-Bus specification,
// "Error names used by the bus".
constexpr std::string_view not_running = "the device's service is not running";
constexpr std::string_view start_it = "start it with: systemctl start tundev-agent";
constexpr std::array bus_advice{
    Advice{"ServiceUnknown", not_running, start_it},
    Advice{"NameHasNoOwner", not_running, start_it},
    Advice{"Disconnected", "the system bus went away", "see why with: systemctl status dbus"},
    Advice{"NoBus", "there is no system bus", "start it with: systemctl start dbus"},
    Advice{
        "AccessDenied", "you are not allowed to use the device's service",
        "as root, put yourself into its group: adduser YOUR-NAME rdv-operator; then log in again"},
    Advice{"NoReply", "the device's service does not answer",
           "see why with: journalctl -u tundev-agent"},
    Advice{"Timeout", "the device's service does not answer",
           "see why with: journalctl -u tundev-agent"},
    Advice{"NotEnrolled", "",
           "let the administrator make a code (rdvctl device add), then: tundev enroll CODE"},
    Advice{"NotConnected", "",
           "check that this device reaches it on its TCP port; see more with: tundev status"},
    Advice{"NotFound", "", "see what there is with: masterdev -l"},
    Advice{"Busy", "", "see who is on which onsite with: masterdev -l"},
    Advice{"Denied", "", "ask the administrator of the RDV server"},
    Advice{"WrongRole", "", "see what this device is with: tundev status"},
    Advice{"NoInterface", "",
           "plug the laptop's USB-Ethernet adapter and its cable in, then try again"},
};

}  // namespace

std::string format_complaint(std::string_view program, const Complaint& complaint) {
  auto text = complaint.why.empty()
                  ? fmt::format("{}: {}\n", program, complaint.what)
                  : fmt::format("{}: {}: {}\n", program, complaint.what, complaint.why);
  if (!complaint.next.empty()) text += fmt::format("{}: {}\n", program, complaint.next);
  return text;
}

Complaint explain_bus_error(std::string what, std::string_view error_name,
                            std::string_view message) {
  Complaint complaint{.what = std::move(what), .why = std::string{message}, .next = ""};
  const auto word = last_word(error_name);
  const auto* advice = std::find_if(bus_advice.begin(), bus_advice.end(),
                                    [&](const Advice& a) { return a.word == word; });
  if (advice != bus_advice.end()) {
    if (!advice->why.empty()) complaint.why = advice->why;
    complaint.next = advice->next;
  } else if (word != "InvalidArgument") {
    complaint.next = "see more with: journalctl -u tundev-agent";
  }
  const auto semicolon = complaint.why.rfind("; ");
  if (error_name.starts_with("org.rdv.Error.") && semicolon != std::string::npos) {
    complaint.next = complaint.why.substr(semicolon + 2);
    complaint.why.resize(semicolon);
  }
  if (complaint.why.empty()) complaint.why = error_name;
  return complaint;
}

std::string advice_after(std::string_view code, std::string_view onsite) {
  const auto again = fmt::format("masterdev -o {}", onsite);
  if (code == "busy" || code == "offline" || code == "unknown_device" || code == "wrong_role")
    return "see which onsites there are and who is on them with: masterdev -l";
  if (code == "unplugged" || code == "carrier_lost")
    return fmt::format("plug the laptop in again, then: {}", again);
  if (code == "not_allowed" || code == "revoked" || code == "administrator" || code == "limit" ||
      code == "server_trouble")
    return "ask the administrator of the RDV server";
  if (code == "customer" || code == "declined") return "ask the customer before you open it again";
  if (code == "mode_unsupported") return fmt::format("open it in the default mode: {}", again);
  if (code == "integrity")
    return "tell the administrator of the RDV server: something on the way altered the traffic";
  if (code == "kernel") return "see why with: journalctl -u tundev-agent -u tundev-netd";
  return fmt::format("open it again with: {}; see more with: journalctl -u tundev-agent", again);
}

std::optional<Complaint> role_problem(std::string what, const AgentStatus& status,
                                      std::string_view needed) {
  if (status.role == needed) return std::nullopt;
  if (status.name.empty())
    return explain_bus_error(std::move(what), "NotEnrolled", "this device is not enrolled");
  const bool is_master = status.role == "master";
  return Complaint{
      .what = std::move(what),
      .why =
          fmt::format("this device, {}, is {}, not {}", status.name,
                      is_master ? "a master" : "an onsite", is_master ? "an onsite" : "a master"),
      .next = is_master ? "on a master use: masterdev" : "on an onsite use: onsitedev"};
}

std::string server_mismatch(std::string_view wanted, std::string_view enrolled) {
  const auto [wanted_host, wanted_port] = split_address(wanted);
  const auto [host, port] = split_address(enrolled);
  if (equal_ignoring_case(wanted_host, host) && (wanted_port.empty() || wanted_port == port))
    return {};
  return fmt::format("this device is enrolled with the server {}, not {}", enrolled, wanted);
}

}  // namespace device::cli
