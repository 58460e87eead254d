#include "cli/command.hpp"

#include "cli/device_bus.hpp"
#include "cli/json.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

namespace device::cli {

int run_main(const char* program, int (*run)(int, char**), int argc, char** argv) try {
  return run(argc, argv);
} catch (const std::exception& error) {
  std::cerr << program << ": " << error.what() << '\n';
  return exit_failed;
}

void bind_common(CLI::App& app, bool& json) {
  app.set_version_flag("--version", app.get_name() + " " + RDV_VERSION);
  app.add_flag("--json", json, "one JSON object per line");
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage.");
}

std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& shown) {  // --help, --version
    return app.exit(shown);
  } catch (const CLI::ParseError& error) {
    std::cerr << app.get_name() << ": wrong usage: " << error.what() << '\n'
              << app.get_name() << ": see how with: " << app.get_name() << " --help\n";
    return exit_usage;
  }
  return std::nullopt;
}

int refuse_usage(Console& console, const std::string& program, const std::string& why) {
  console.complain(
      {.what = "wrong usage", .why = why, .next = "see how with: " + program + " --help"}, "usage");
  return exit_usage;
}

int run_command(Console& console, const std::string& what, const std::function<int()>& work) {
  try {
    return work();
  } catch (const BusError& error) {
    console.complain(explain_bus_error(what, error.name, error.what()), error_word(error.name));
  } catch (const Stopped&) {
    console.complain({.what = what, .why = "stopped before there was an answer", .next = ""},
                     "stopped");
  } catch (const std::exception& error) {
    console.complain({.what = what, .why = error.what(), .next = ""}, "failed");
  }
  return exit_failed;
}

}  // namespace device::cli
