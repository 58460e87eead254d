#include "config.hpp"
#include "ctl/commands.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_wrong_usage = 2;

/// The line of a terminal's message: one line, whatever came in.
void complain(std::string_view text) {
  std::string line{text};
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  fmt::print(stderr, "rdvctl: {}\n", line);
}

int run(int argc, char** argv) {
  rdv::ctl::Common common{.config = rdv::default_config_path};
  CLI::App app{"Administers an RDV server: set-up, devices, sessions, audit."};
  app.name("rdvctl");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", RDV_VERSION);
  app.add_option("--config", common.config, "The server's configuration, used by init and audit")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--json", common.json, "Print JSON instead of text; times are Unix seconds");
  rdv::ctl::add_init_command(app, common);
  rdv::ctl::add_device_commands(app, common);
  rdv::ctl::add_session_commands(app, common);
  rdv::ctl::add_audit_commands(app, common);
  rdv::ctl::add_status_command(app, common);
  try {
    app.parse(argc, argv);
    return exit_done;
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    complain(fmt::format("wrong usage: {}", e.what()));
    complain("see: rdvctl --help, or --help behind a command");
    return exit_wrong_usage;
  } catch (const rdv::ctl::CommandError& e) {
    complain(e.what());
    if (!e.next().empty()) complain(e.next());
    return exit_failed;
  }
}

}  // namespace

int main(int argc, char** argv) try { return run(argc, argv); } catch (const std::exception& e) {
  complain(fmt::format("unexpected trouble: {}", e.what()));
  return exit_failed;
}
