#pragma once
#include "cli/device_facts.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What people read when something failed: what, why, and what to do next. Pure.
namespace device::cli {

/// What went wrong, in the form every command uses for it (docs: exit codes and errors).
struct Complaint {
  std::string what;  ///< what failed: "cannot open a session to rpi1100"
  std::string why;   ///< "it has been offline since 2026-01-14 09:12 UTC"
  std::string next;  ///< what to do next; "": nothing to advise
};

/// Two lines: "PROGRAM: WHAT: WHY" and "PROGRAM: NEXT" (the second only when there is advice).
std::string format_complaint(std::string_view program, const Complaint& complaint);

/// A D-Bus error on a call to tundev-agent, in words.
///
/// @param what        what the command was about to do: "cannot list the onsites"
/// @param error_name  "org.rdv.Error.NotEnrolled", "org.freedesktop.DBus.Error.ServiceUnknown", …
/// @param message     the agent's sentence; what it says behind a semicolon is its own advice and
///                    wins over ours
Complaint explain_bus_error(std::string what, std::string_view error_name,
                            std::string_view message);

/// What to do after a session ended with this code against our will.
/// @param code  a word of wire::CloseCode or wire::RefusalCode
std::string advice_after(std::string_view code, std::string_view onsite);

/// Says why this device cannot serve as what the command needs, or nothing when it can.
/// @param needed  "master" or "onsite"
std::optional<Complaint> role_problem(std::string what, const AgentStatus& status,
                                      std::string_view needed);

/// Says why `wanted` (-R or RDV_SERVER_HOSTNAME, HOST[:PORT]) is not the server this device is
/// enrolled with; "" when it is. Host names compare without case; no port means any port.
std::string server_mismatch(std::string_view wanted, std::string_view enrolled);

}  // namespace device::cli
