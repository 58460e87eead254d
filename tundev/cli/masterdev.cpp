/// masterdev: the engineer's command on a master. Lists the onsites, opens a session and holds it.
#include "cli/masterdev.hpp"

#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/text.hpp"
#include "wire/limits.hpp"
#include "wire/names.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <utility>

namespace device::cli {
namespace {

constexpr auto program = "masterdev";

void bind(CLI::App& app, MasterdevArguments& arguments) {
  app.add_flag("-l,--list", arguments.list, "list the onsites you may reach");
  app.add_option("-o,--open", arguments.onsite,
                 "open a session to the onsite NAME and hold it until Ctrl-C")
      ->type_name("NAME");
  app.add_option(
         "-m,--mode", arguments.mode,
         "L3: routed (the default); L2: as by a cable. Without -o: switch the session there "
         "is, for 30 s unless it is confirmed")
      ->type_name("L3|L2");
  app.add_flag("--confirm", arguments.confirm, "keep the mode that the session was switched to");
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
std::string usage_problem(MasterdevArguments& arguments) {
  if (arguments.mode == "l2" || arguments.mode == "l3") arguments.mode[0] = 'L';
  if (!arguments.mode.empty() && arguments.mode != "L2" && arguments.mode != "L3")
    return "the mode is L3 or L2";
  const bool switches = arguments.onsite.empty() && !arguments.mode.empty() && !arguments.list;
  if (arguments.list + arguments.confirm + switches + !arguments.onsite.empty() != 1)
    return "give one of -l, -o NAME, -m MODE and --confirm";
  if (arguments.onsite.empty()) return {};
  if (arguments.mode.empty()) arguments.mode = "L3";
  if (!tunnel::wire::Name::parse(arguments.onsite))
    return "an onsite's name has the letters a to z, digits and hyphens";
  if (arguments.seconds > tunnel::wire::session_seconds_max)
    return fmt::format("a session lasts {} seconds at most", tunnel::wire::session_seconds_max);
  return {};
}

/// What the agent is enrolled as must be what the person thinks: the device cannot be another one
/// or use another server than its certificate says.
/// @return what is wrong, "" when all is well
std::string wrong_identity(const MasterdevArguments& arguments, const AgentStatus& status) {
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

}  // namespace

std::optional<int> check_device(Console& console, DeviceBus& bus,
                                const MasterdevArguments& arguments, const std::string& what) {
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

namespace {

int list(Console& console, const MasterdevArguments& arguments, const std::string& what) {
  DeviceBus bus;
  if (const auto code = check_device(console, bus, arguments, what)) return *code;
  const auto onsites = bus.list();
  console.print(console.json() ? json_onsites(onsites) : format_onsites(onsites));
  return exit_done;
}

int confirm(Console& console, const MasterdevArguments& arguments, const std::string& what) {
  DeviceBus bus;
  if (const auto code = check_device(console, bus, arguments, what)) return *code;
  bus.confirm_mode();
  return exit_done;
}

int run(int argc, char** argv) {
  MasterdevArguments arguments;
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
  if (arguments.confirm) {
    const std::string what = "cannot confirm the mode";
    return run_command(console, what, [&] { return confirm(console, arguments, what); });
  }
  if (arguments.onsite.empty()) {
    const auto what = fmt::format("cannot switch to mode {}", arguments.mode);
    return run_command(console, what, [&] { return switch_session(console, arguments, what); });
  }
  const auto what = fmt::format("cannot open a session to {}", arguments.onsite);
  return run_command(console, what, [&] { return hold_session(console, arguments, what); });
}

}  // namespace
}  // namespace device::cli

int main(int argc, char** argv) {
  return device::cli::run_main(device::cli::program, device::cli::run, argc, argv);
}
