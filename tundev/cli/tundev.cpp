/// tundev: set-up and health of a device of either role.
#include "cli/command.hpp"
#include "cli/device_bus.hpp"
#include "cli/json.hpp"
#include "cli/provision.hpp"
#include "cli/text.hpp"
#include "wire/enrolment_code.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <iostream>

namespace device::cli {
namespace {

constexpr auto program = "tundev";
constexpr std::size_t code_chars_max = 2048;  // far more than the longest server name needs

/// The code as one text: it is often pasted as several words. "-" alone means standard input, so
/// that the code need not stand in the list of processes.
std::string join_code(const std::vector<std::string>& words) {
  if (words.size() != 1 || words.front() != "-") return fmt::format("{}", fmt::join(words, "-"));
  std::string code(code_chars_max, '\0');
  std::cin.read(code.data(), static_cast<std::streamsize>(code.size()));
  code.resize(static_cast<std::size_t>(std::cin.gcount()));
  std::erase(code, '\n');
  return code;
}

int enroll(Console& console, const std::vector<std::string>& words, const std::string& what) {
  const auto text = join_code(words);
  const auto code = tunnel::wire::EnrolmentCode::parse(text);
  if (!code) {
    console.complain({.what = what,
                      .why = "the code is mistyped or incomplete",
                      .next = "compare it with what rdvctl device add printed and type it again"},
                     "invalid_argument");
    return exit_failed;
  }
  DeviceBus bus;
  const auto enrolment = bus.enroll(text);
  auto server = bus.status().server;  // the configuration may name another address than the code
  if (server.empty()) server = code->server;
  console.print(console.json()
                    ? json_enrolment(enrolment, server)
                    : fmt::format("enrolled as {} ({}) of system {} at {}", enrolment.name,
                                  enrolment.role, enrolment.system, server));
  return exit_done;
}

/// What is said of the ports must not keep the rest of the status from who needs it.
void add_ports(DeviceBus& bus, AgentStatus& facts) {
  try {
    facts.ports = bus.ports();
  } catch (const BusError& error) {
    const auto complaint = explain_bus_error("", error.name, error.what());
    facts.ports_problem = fmt::format("{}; {}", complaint.why, complaint.next);
    if (error.name.ends_with(".UnknownMethod"))
      facts.ports_problem =
          "an older service still runs; restart it with: systemctl restart tundev-agent";
  }
}

int status(Console& console) {
  DeviceBus bus;
  auto facts = bus.status();
  if (facts.role == "master") add_ports(bus, facts);
  const auto sessions = facts.name.empty() ? std::vector<RunningSession>{} : bus.sessions();
  console.print(console.json() ? json_status(facts, sessions)
                               : format_status(facts, sessions, tunnel::unix_now()));
  return exit_done;
}

int version(Console& console) {
  console.print(fmt::format("tundev {}", RDV_VERSION));
  try {
    console.print(fmt::format("tundev-agent {}", DeviceBus{}.status().version));
  } catch (const BusError& error) {
    console.print(
        fmt::format("tundev-agent: {}", explain_bus_error("", error.name, error.what()).why));
  }
  return exit_done;
}

/// The arguments of `tundev provision`.
struct ProvisionArguments {
  Provision::Options options;
  bool settings = false, enroll = false;
};

CLI::App* add_provision(CLI::App& app, ProvisionArguments& arguments) {
  auto* command = app.add_subcommand(
      "provision", "become the device that rdvctl device add --sd-file wrote a file for");
  auto& options = arguments.options;
  command->add_option("file", options.file, "the file, on the card's first partition")
      ->type_name("FILE")
      ->capture_default_str();
  const auto add = [&](const char* option, std::filesystem::path& value, const char* help) {
    return command->add_option(option, value, help)->type_name("PATH");
  };
  add("--status", options.status, "how it went, for people [rdv-status.txt beside FILE]");
  add("--root", options.place.root, "the system to set up")->capture_default_str();
  add("--state", options.place.state, "root's own folder, which outlives a reboot")
      ->capture_default_str();
  add("--authorized-keys", options.place.authorized_keys, "where the ssh keys go")
      ->capture_default_str();
  auto* settings =
      command->add_flag("--settings", arguments.settings, "only this step: name, keys, network");
  command->add_flag("--enroll", arguments.enroll, "only this step: enrol")->excludes(settings);
  return command;
}

int provision(Console& console, const ProvisionArguments& arguments) {
  Provision work{console, arguments.options};
  const int set = arguments.enroll ? exit_done : work.settings();
  return arguments.settings || set != exit_done ? set : work.enroll();
}

int run(int argc, char** argv) {
  CLI::App app{"Enrols this device with an RDV server and shows its state.", program};
  bool json = false;
  std::vector<std::string> words;
  bind_common(app, json);
  app.fallthrough();
  auto* enroll_command =
      app.add_subcommand("enroll", "make a key here and get a certificate for it");
  enroll_command
      ->add_option("code", words,
                   "what rdvctl device add printed; \"-\" reads it from standard input")
      ->type_name("CODE")
      ->required();
  auto* status_command = app.add_subcommand("status", "who this device is, and its server");
  auto* version_command =
      app.add_subcommand("version", "of this command and of the running service");
  ProvisionArguments provisioning;
  auto* provision_command = add_provision(app, provisioning);
  app.require_subcommand(0, 1);
  if (const auto code = parse_arguments(app, argc, argv)) return *code;

  Console console{program, json};
  if (enroll_command->parsed()) {
    const std::string what = "cannot enrol this device";
    return run_command(console, what, [&] { return enroll(console, words, what); });
  }
  if (status_command->parsed())
    return run_command(console, "cannot show the device's status", [&] { return status(console); });
  if (provision_command->parsed())
    return run_command(console, "cannot provision this device",
                       [&] { return provision(console, provisioning); });
  if (!version_command->parsed())
    return refuse_usage(console, program, "say what to do: enroll, provision, status or version");
  return run_command(console, "cannot show the versions", [&] { return version(console); });
}

}  // namespace
}  // namespace device::cli

int main(int argc, char** argv) {
  return device::cli::run_main(device::cli::program, device::cli::run, argc, argv);
}
