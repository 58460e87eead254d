#pragma once
#include <filesystem>
#include <stdexcept>
#include <string>

namespace CLI {
class App;
}

namespace rdv::ctl {

/// What all commands of rdvctl share.
struct Common {
  std::filesystem::path config;
  bool json = false;
};

/// A command could not do its work; main() says so and ends with 1.
class CommandError : public std::runtime_error {
 public:
  /// @param attempted  "cannot add rpi1100"  @param next  what to do, or ""
  CommandError(const std::string& attempted, const std::string& why, std::string next)
      : std::runtime_error{attempted + ": " + why}, next_{std::move(next)} {}
  const std::string& next() const noexcept { return next_; }

 private:
  std::string next_;
};

// Each adds commands to `app`; they run when the arguments are parsed and throw CommandError.
// `common` must outlive that.
void add_init_command(CLI::App& app, const Common& common);
void add_device_commands(CLI::App& app, const Common& common);
void add_session_commands(CLI::App& app, const Common& common);
void add_audit_commands(CLI::App& app, const Common& common);
void add_status_command(CLI::App& app, const Common& common);

}  // namespace rdv::ctl
