/// onsitedev: the customer's command on an onsite. Shows who is connected, ends the session, fixes
/// the uplink.
#include "cli/command.hpp"
#include "cli/device_bus.hpp"
#include "cli/json.hpp"
#include "cli/text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace device::cli {
namespace {

using tunnel::Clock;

constexpr auto program = "onsitedev";
constexpr auto automatic = "auto";  // no interface's name: as configured

int show(Console& console, const std::string& what) {
  DeviceBus bus;
  const auto status = bus.status();
  if (const auto problem = role_problem(what, status, "onsite");
      problem && !status.name.empty()) {  // not enrolled: a status like any other
    console.complain(*problem, "wrong_role");
    return exit_failed;
  }
  const auto sessions = status.name.empty() ? std::vector<RunningSession>{} : bus.sessions();
  console.print(console.json() ? json_status(status, sessions)
                               : format_customer_view(status, sessions, tunnel::unix_now()));
  return exit_done;
}

/// Ends one session and waits until it is over.
int stop_session(Console& console, DeviceBus& bus, const RunningSession& session,
                 const std::string& what) {
  bus.close(session.id, "");
  const auto deadline = Clock::now() + close_timeout;
  while (bus.wait(deadline) == DeviceBus::Woken::event)
    while (const auto event = bus.take_event(session.id)) {
      if (event->state != SessionState::closed) continue;
      if (console.json())
        console.print(json_event(*event, ""));
      else
        console.print(
            fmt::format("session with {} ended: {}", session.peer,
                        format_traffic(event->rx_bytes, event->tx_bytes, event->seconds)));
      return exit_done;
    }
  console.complain({.what = what,
                    .why = "the device's service did not confirm the end",
                    .next = "see if somebody is still connected with: onsitedev status"},
                   "no_confirmation");
  return exit_failed;
}

int stop(Console& console, const std::string& wanted, const std::string& what) {
  DeviceBus bus;
  if (const auto problem = role_problem(what, bus.status(), "onsite")) {
    console.complain(*problem, "wrong_role");
    return exit_failed;
  }
  bus.watch_sessions();
  auto sessions = bus.sessions();
  std::erase_if(sessions,
                [&](const RunningSession& s) { return !wanted.empty() && s.session != wanted; });
  if (sessions.empty()) {
    const auto why = wanted.empty() ? "nobody is connected" : "there is no session " + wanted;
    console.complain(
        {.what = what, .why = why, .next = "see who is connected with: onsitedev status"},
        "not_found");
    return exit_failed;
  }
  int code = exit_done;
  for (const auto& session : sessions)
    code = std::max(code, stop_session(console, bus, session, what));
  return code;
}

/// @param interface  "auto": as configured
int fix_uplink(Console& console, const std::string& interface, const std::string& what) {
  DeviceBus bus;
  const auto status = bus.status();
  if (const auto problem = role_problem(what, status, "onsite")) {
    console.complain(*problem, "wrong_role");
    return exit_failed;
  }
  const bool is_auto = interface == automatic;
  bus.fix_uplink(is_auto ? "" : interface);
  if (console.json())
    console.print(json_status(bus.status(), bus.sessions()));
  else if (is_auto)
    console.print("the RDV server is reached as device.toml says");
  else
    console.print(fmt::format(
        "the RDV server is reached by {} and no other interface, until: onsitedev -U {}, or a "
        "restart of tundev-netd",
        interface, automatic));
  return exit_done;
}

int run(int argc, char** argv) {
  CLI::App app{"Shows who is connected to your network through this device, and ends it.", program};
  bool json = false;
  std::string session;
  bind_common(app, json);
  app.fallthrough();  // --json also behind the sub-command
  app.add_subcommand("status", "who is connected, since when, how much was sent (the default)");
  auto* stop_command = app.add_subcommand("stop", "end the session")->alias("close");
  stop_command->add_option("session", session, "only this one; default: every session")
      ->type_name("SESSION");
  std::string uplink;
  auto* uplink_option =
      app.add_option("-U,--uplink", uplink,
                     fmt::format("reach the RDV server by this interface and no other; \"{}\": as "
                                 "configured again",
                                 automatic))
          ->type_name("DEV")
          ->check([](const std::string& name) { return name.empty() ? "no name" : ""; });
  app.require_subcommand(0, 1);
  if (const auto code = parse_arguments(app, argc, argv)) return *code;

  Console console{program, json};
  if (stop_command->parsed()) {
    const std::string what = "cannot end the session";
    return run_command(console, what, [&] { return stop(console, session, what); });
  }
  if (uplink_option->count() > 0) {
    const std::string what = "cannot fix the uplink";
    return run_command(console, what, [&] { return fix_uplink(console, uplink, what); });
  }
  const std::string what = "cannot show the device's status";
  return run_command(console, what, [&] { return show(console, what); });
}

}  // namespace
}  // namespace device::cli

int main(int argc, char** argv) {
  return device::cli::run_main(device::cli::program, device::cli::run, argc, argv);
}
