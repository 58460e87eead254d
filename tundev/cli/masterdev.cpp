/// masterdev: the engineer's command on a master. Lists the onsites, opens a session and holds it.
#include "cli/command.hpp"
#include "cli/device_bus.hpp"
#include "cli/json.hpp"
#include "cli/session_view.hpp"
#include "cli/stop_signals.hpp"
#include "cli/text.hpp"
#include "wire/limits.hpp"
#include "wire/names.hpp"
#include "wire/reasons.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <utility>

namespace device::cli {
namespace {

using tunnel::Clock;

constexpr auto program = "masterdev";

struct Arguments {
  bool list = false;
  std::string onsite;
  std::string mode = "L3";
  std::uint32_t seconds = 0;
  bool debug = false;
  bool tls = false;
  std::string device, server;
  bool json = false;
};

void bind(CLI::App& app, Arguments& arguments) {
  app.add_flag("-l,--list", arguments.list, "list the onsites you may reach");
  app.add_option("-o,--open", arguments.onsite,
                 "open a session to the onsite NAME and hold it until Ctrl-C")
      ->type_name("NAME");
  app.add_option("-m,--mode", arguments.mode, "L3: routed (the default); L2: bridged")
      ->type_name("L3|L2");
  app.add_option("-t,--time", arguments.seconds, "end the session after SECONDS")
      ->type_name("SECONDS");
  app.add_flag("-d,--debug", arguments.debug, "say every change of state on standard error");
  app.add_option("-u,--user", arguments.device,
                 "name of this device; only checked (default: $MASTERDEV_USERNAME)")
      ->type_name("DEVICE");
  app.add_option("-R,--server", arguments.server,
                 "the RDV server; only checked (default: $RDV_SERVER_HOSTNAME)")
      ->type_name("HOST[:PORT]");
  app.add_flag("-T,--tls", arguments.tls, "accepted; TLS is always on");
  bind_common(app, arguments.json);
}

/// @return what is wrong with the command line, "" when nothing is
std::string usage_problem(Arguments& arguments) {
  if (arguments.list == !arguments.onsite.empty()) return "give either -l or -o NAME";
  if (arguments.list) return {};
  if (!tunnel::wire::Name::parse(arguments.onsite))
    return "an onsite's name has the letters a to z, digits and hyphens";
  if (arguments.mode == "l2" || arguments.mode == "l3") arguments.mode[0] = 'L';
  if (arguments.mode != "L2" && arguments.mode != "L3") return "the mode is L3 or L2";
  if (arguments.seconds > tunnel::wire::session_seconds_max)
    return fmt::format("a session lasts {} seconds at most", tunnel::wire::session_seconds_max);
  return {};
}

/// What the agent is enrolled as must be what the person thinks: the device cannot be another one
/// or use another server than its certificate says.
/// @return what is wrong, "" when all is well
std::string wrong_identity(const Arguments& arguments, const AgentStatus& status) {
  const auto given = [](const std::string& option, const char* flag, const char* variable) {
    const char* value = std::getenv(variable);
    if (!option.empty()) return std::pair{option, std::string{flag}};
    return std::pair{std::string{value == nullptr ? "" : value}, "$" + std::string{variable}};
  };
  const auto [device, device_from] = given(arguments.device, "-u", "MASTERDEV_USERNAME");
  if (!device.empty() && device != status.name)
    return fmt::format("{} says {}, but this device is enrolled as {}", device_from, device,
                       status.name);
  const auto [server, server_from] = given(arguments.server, "-R", "RDV_SERVER_HOSTNAME");
  if (server.empty()) return {};
  const auto mismatch = server_mismatch(server, status.server);
  return mismatch.empty() ? mismatch : fmt::format("{} ({})", mismatch, server_from);
}

/// @return how to exit, or nothing when this device can serve as a master
std::optional<int> check_device(Console& console, DeviceBus& bus, const Arguments& arguments,
                                const std::string& what) {
  const auto status = bus.status();
  if (const auto problem = role_problem(what, status, "master")) {
    console.complain(*problem, status.name.empty() ? "not_enrolled" : "wrong_role");
    return exit_failed;
  }
  if (const auto why = wrong_identity(arguments, status); !why.empty()) {
    console.complain({.what = what,
                      .why = why,
                      .next = "leave the option and the variable out, or see what this device is "
                              "with: tundev status"},
                     "wrong_identity");
    return exit_usage;
  }
  return std::nullopt;
}

int list(Console& console, const Arguments& arguments, const std::string& what) {
  DeviceBus bus;
  if (const auto code = check_device(console, bus, arguments, what)) return *code;
  const auto onsites = bus.list();
  console.print(console.json() ? json_onsites(onsites) : format_onsites(onsites));
  return exit_done;
}

/// What the agent is told: a word of wire::CloseCode becomes the cause of the end, anything else
/// stands behind "the engineer ended it".
std::string close_reason(Stop why) {
  switch (why) {
    case Stop::none:
    case Stop::ctrl_c: return "";
    case Stop::terminate: return "masterdev was told to stop";
    case Stop::terminal_closed:
      return std::string{to_string(tunnel::wire::CloseCode::terminal_closed)};
  }
  return "";
}

/// One session from Open to its end.
class Holder {
 public:
  Holder(Console& console, const Arguments& arguments)
      : console_{console}, arguments_{arguments}, bus_{stop_.fd()}, view_{arguments.onsite} {}

  int run(const std::string& what) {
    if (const auto code = check_device(console_, bus_, arguments_, what)) return *code;
    bus_.watch_sessions();
    id_ = bus_.open(
        {.onsite = arguments_.onsite, .mode = arguments_.mode, .seconds = arguments_.seconds});
    for (;;) {
      const auto code = turn(bus_.wait(closing_));
      if (code) return *code;
      if (console_.is_broken()) ask_to_close(Stop::terminal_closed);
    }
  }

 private:
  std::optional<int> turn(DeviceBus::Woken woken) {
    switch (woken) {
      case DeviceBus::Woken::event:
        while (const auto event = bus_.take_event(id_)) {
          show_raw(*event);
          if (const auto code = say(view_.on_event(*event))) return code;
        }
        return std::nullopt;
      case DeviceBus::Woken::agent_gone: return say(view_.on_agent_gone());
      case DeviceBus::Woken::deadline: return say(view_.on_close_deadline());
      case DeviceBus::Woken::stop: break;
    }
    const auto why = stop_.take();
    if (!closing_) {
      ask_to_close(why);
      return std::nullopt;
    }
    // A terminal that closes may send several signals; only a second Ctrl-C means "now". The agent
    // ends the session of a command that is gone.
    if (why != Stop::ctrl_c) return std::nullopt;
    console_.note("left without waiting for the end of the session");
    return exit_failed;
  }

  void ask_to_close(Stop why) {
    if (closing_ || why == Stop::none) return;
    closing_ = Clock::now() + close_timeout;
    if (arguments_.debug) console_.note("debug: closing");
    bus_.close(id_, close_reason(why));
  }

  void show_raw(const SessionEvent& event) {
    const auto json = json_event(event, arguments_.onsite);
    if (arguments_.debug)
      console_.note(fmt::format("debug: {:.3f} s: {}",
                                std::chrono::duration<double>(Clock::now() - start_).count(),
                                json));
    if (console_.json()) console_.print(json);
  }

  std::optional<int> say(const SessionView::Answer& answer) {
    if (!answer.line.empty() && !console_.json()) console_.print(answer.line);
    if (!answer.warning.empty()) console_.note("warning: " + answer.warning);
    if (!answer.end) return std::nullopt;
    if (answer.end->complaint) console_.complain(*answer.end->complaint, answer.end->code);
    return answer.end->exit_code;
  }

  Console& console_;
  const Arguments& arguments_;
  StopSignals stop_;
  DeviceBus bus_;
  SessionView view_;
  const Clock::time_point start_ = Clock::now();
  std::uint64_t id_ = 0;
  std::optional<Clock::time_point> closing_;  // when we stop waiting for "closed"
};

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Lists the onsites and opens a session to one of them.", program};
  bind(app, arguments);
  if (const auto code = parse_arguments(app, argc, argv)) return *code;

  Console console{program, arguments.json};
  if (const auto why = usage_problem(arguments); !why.empty())
    return refuse_usage(console, program, why);
  if (arguments.list) {
    const std::string what = "cannot list the onsites";
    return run_command(console, what, [&] { return list(console, arguments, what); });
  }
  const auto what = fmt::format("cannot open a session to {}", arguments.onsite);
  return run_command(console, what, [&] { return Holder{console, arguments}.run(what); });
}

}  // namespace
}  // namespace device::cli

int main(int argc, char** argv) {
  return device::cli::run_main(device::cli::program, device::cli::run, argc, argv);
}
