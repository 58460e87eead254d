#pragma once
#include "cli/console.hpp"

#include <functional>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace device::cli {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// The body of main(): `run` with what it throws when not even the arguments could be read put into
/// words.
/// @return the exit code
int run_main(const char* program, int (*run)(int, char**), int argc, char** argv);

/// What every command has: --version, --json, and the exit codes at the end of --help.
void bind_common(CLI::App& app, bool& json);

/// Reads the arguments into what was bound to `app`.
/// @return how to exit at once (help or version shown: 0; wrong usage, said on standard error: 2),
/// or nothing: go on
std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv);

/// Says what is wrong with the command line.
int refuse_usage(Console& console, const std::string& program, const std::string& why);

/// Runs a command's work and turns what it throws into words.
/// @param what  "cannot list the onsites"
/// @return the work's exit code, or exit_failed
int run_command(Console& console, const std::string& what, const std::function<int()>& work);

}  // namespace device::cli
