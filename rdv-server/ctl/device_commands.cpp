#include "ctl/client.hpp"
#include "ctl/commands.hpp"
#include "ctl/sd_file.hpp"
#include "ctl/text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace rdv::ctl {

using nlohmann::json;

namespace {

/// Arguments of the device and session commands; each command uses some. Owned by the option's app
/// and its callbacks.
struct Arguments {
  std::string name;
  std::string role;
  std::string reason;
  std::string l2;
  Client::DeviceOptions options;
  SdFile sd_file;
};

template <class Work>
void attempt(const std::string& attempted, Work work) try {
  work();
} catch (const ClientError& e) {
  throw CommandError{attempted, e.what(), e.next()};
}

void print(const json& value) {
  fmt::print("{}\n", value.dump(2));
}

void print_code(const Common& common, const std::string& name, const Client::Code& code) {
  if (common.json) return print({{"name", name}, {"code", code.code}, {"expires", code.expires}});
  fmt::print("{}", code_text(name, code.code, code.expires));
}

/// The code in the file for an SD card when one is wanted, else (or when that fails) on the
/// terminal: it exists only once.
void hand_over(const Common& common, Arguments& arguments, const Client::Code& code) {
  auto& file = arguments.sd_file;
  if (!file.wanted()) return print_code(common, arguments.name, code);
  try {
    file.write(code.code);
  } catch (const ClientError&) {
    print_code(common, arguments.name, code);
    throw;
  }
  if (common.json)
    return print({{"name", arguments.name}, {"sd_file", file.path()}, {"expires", code.expires}});
  fmt::print("{}", sd_file_text(arguments.name, file.path(), code.expires));
}

/// What a command that changed something says.
void print_done(const Common& common, const json& what, const std::string& sentence) {
  if (common.json) return print(what);
  fmt::print("{}\n", sentence);
}

void add_add(CLI::App& app, const Common& common) {
  auto* command = app.add_subcommand("add", "Register a device and print its enrolment code");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("name", arguments->name, "Name of the device, e.g. rpi1100")->required();
  command->add_option("--role", arguments->role, "onsite or master")
      ->required()
      ->check(CLI::IsMember({"onsite", "master"}));
  command->add_option("--site", arguments->options.site,
                      "Where an onsite stands, e.g. \"Royal Champagne, boiler room\"");
  command->add_option("--system", arguments->options.system,
                      "The tenant it belongs to [default]; systems never see each other");
  command
      ->add_option("--allow", arguments->options.allow,
                   "A network an onsite opens beyond its own LAN, e.g. 10.1.0.0/16; repeatable")
      ->type_name("PREFIX")
      ->allow_extra_args(false);
  command->add_flag("--l2", arguments->options.l2,
                    "Let masters join the LAN of an onsite in mode L2");
  arguments->sd_file.add_options(*command);
  command->callback([&common, arguments] {
    attempt("cannot add " + arguments->name, [&] {
      arguments->sd_file.prepare(arguments->name, arguments->role);
      hand_over(common, *arguments,
                Client{}.add_device(arguments->name, arguments->role, arguments->options));
    });
  });
}

void add_list_and_show(CLI::App& app, const Common& common) {
  app.add_subcommand("list", "List all devices")->callback([&common] {
    attempt("cannot list the devices", [&] {
      const auto devices = Client{}.list_devices();
      if (common.json) return print(devices);
      fmt::print("{}", device_table(devices));
    });
  });
  auto* show = app.add_subcommand("show", "Show everything about a device");
  const auto arguments = std::make_shared<Arguments>();
  show->add_option("name", arguments->name, "Name of the device")->required();
  show->callback([&common, arguments] {
    attempt("cannot show " + arguments->name, [&] {
      const auto device = Client{}.show_device(arguments->name);
      if (common.json) return print(device);
      fmt::print("{}", device_details(device));
    });
  });
}

void add_code(CLI::App& app, const Common& common) {
  auto* command = app.add_subcommand(
      "code", "Print a new enrolment code; codes given out before no longer work");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("name", arguments->name, "Name of the device")->required();
  arguments->sd_file.add_options(*command);
  command->callback([&common, arguments] {
    attempt("cannot make a code for " + arguments->name, [&] {
      Client client;
      if (arguments->sd_file.wanted())
        arguments->sd_file.prepare(arguments->name,
                                   client.show_device(arguments->name).value("role", ""));
      hand_over(common, *arguments, client.new_code(arguments->name));
    });
  });
}

void add_l2(CLI::App& app, const Common& common) {
  auto* command = app.add_subcommand(
      "l2", "Permit mode L2 at an onsite, or no longer: a laptop joins its LAN as by a cable");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("name", arguments->name, "Name of the onsite")->required();
  command->add_option("permission", arguments->l2, "on or off; off ends a session in L2")
      ->required()
      ->check(CLI::IsMember({"on", "off"}));
  command->callback([&common, arguments] {
    const bool allowed = arguments->l2 == "on";
    attempt("cannot change " + arguments->name, [&] {
      Client{}.set_l2(arguments->name, allowed);
      print_done(common, {{"name", arguments->name}, {"l2", allowed}},
                 fmt::format("Mode L2 is {} at {}.", allowed ? "permitted" : "not permitted",
                             arguments->name));
    });
  });
}

void add_revoke_and_remove(CLI::App& app, const Common& common) {
  auto* revoke = app.add_subcommand(
      "revoke", "Cut a device off at once, with its sessions, and refuse it from now on");
  const auto arguments = std::make_shared<Arguments>();
  revoke->add_option("name", arguments->name, "Name of the device")->required();
  revoke->add_option("--reason", arguments->reason, "Why; both ends and the log get it");
  revoke->callback([&common, arguments] {
    attempt("cannot revoke " + arguments->name, [&] {
      Client{}.revoke_device(arguments->name, arguments->reason);
      print_done(common, {{"revoked", arguments->name}},
                 fmt::format("{} is revoked.", arguments->name));
    });
  });
  auto* remove = app.add_subcommand("remove", "Revoke a device and forget it; its name is free");
  remove->add_option("name", arguments->name, "Name of the device")->required();
  remove->callback([&common, arguments] {
    attempt("cannot remove " + arguments->name, [&] {
      Client{}.remove_device(arguments->name);
      print_done(common, {{"removed", arguments->name}},
                 fmt::format("{} is removed.", arguments->name));
    });
  });
}

}  // namespace

void add_device_commands(CLI::App& app, const Common& common) {
  auto& device = *app.add_subcommand("device", "Register, show and revoke devices");
  device.require_subcommand(1);
  add_add(device, common);
  add_list_and_show(device, common);
  add_code(device, common);
  add_l2(device, common);
  add_revoke_and_remove(device, common);
}

void add_session_commands(CLI::App& app, const Common& common) {
  auto& session = *app.add_subcommand("session", "List and close sessions");
  session.require_subcommand(1);
  session.add_subcommand("list", "List the sessions")->callback([&common] {
    attempt("cannot list the sessions", [&] {
      const auto sessions = Client{}.list_sessions();
      if (common.json) return print(sessions);
      fmt::print("{}", session_table(sessions));
    });
  });
  auto* close = session.add_subcommand("close", "Close a session");
  const auto arguments = std::make_shared<Arguments>();
  close->add_option("id", arguments->name, "Its 16 digits, as in: rdvctl session list")->required();
  close->add_option("--reason", arguments->reason, "Why; both ends and the log get it");
  close->callback([&common, arguments] {
    attempt("cannot close the session " + arguments->name, [&] {
      Client{}.close_session(arguments->name, arguments->reason);
      print_done(common, {{"closed", arguments->name}},
                 fmt::format("The session {} is closed.", arguments->name));
    });
  });
}

void add_status_command(CLI::App& app, const Common& common) {
  app.add_subcommand("status", "Show what the server does")->callback([&common] {
    attempt("cannot show the status", [&] {
      const auto status = Client{}.status();
      if (common.json) return print(status);
      fmt::print("{}", status_details(status));
    });
  });
}

}  // namespace rdv::ctl
