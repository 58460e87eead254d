#pragma once
#include "cli/complaint.hpp"
#include "cli/device_facts.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What programs read: one JSON object per line, the same facts as the text. Pure.
///
/// Times are Unix seconds, addresses are texts, absent facts are "" or 0.
namespace device::cli {

/// {"devices": [...], "total": 3, "online": 2}
std::string json_onsites(const std::vector<ListedOnsite>& onsites);
/// The status and "sessions": [...].
std::string json_status(const AgentStatus& status, const std::vector<RunningSession>& sessions);
std::string json_enrolment(const Enrolment& enrolment, std::string_view server);
/// {"state": "established", "onsite": "rpi1100", ...}: a SessionChanged of `masterdev -o --json`.
std::string json_event(const SessionEvent& event, std::string_view onsite);
/// {"state": "error", "code": "not_connected", "what": ..., "why": ..., "next": ...}
std::string json_complaint(const Complaint& complaint, std::string_view code);

/// The word for programs of a D-Bus error's name: "org.rdv.Error.NotConnected" -> "not_connected".
std::string error_word(std::string_view error_name);

}  // namespace device::cli
