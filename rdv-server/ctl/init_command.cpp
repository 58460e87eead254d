#include "base/bytes.hpp"
#include "base/files.hpp"
#include "config.hpp"
#include "ctl/commands.hpp"
#include "own_files.hpp"
#include "pki.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>

namespace rdv::ctl {

namespace fs = std::filesystem;

namespace {

constexpr unsigned config_mode = 0644;
constexpr char attempted[] = "cannot initialise the server";

/// The configuration to initialise from, and whether its file has yet to be written.
struct Found {
  Config config;
  bool is_new = false;
};

Found find_config(const fs::path& file, const std::string& address) {
  Found found;
  found.is_new = !fs::exists(file);
  if (!found.is_new) found.config = load_config(file);
  auto& config = found.config;
  std::string wanted;
  try {
    if (!address.empty()) wanted = parse_endpoint(address).str();
  } catch (const std::invalid_argument& e) {
    throw CommandError{attempted, fmt::format("--address {} {}", address, e.what()), ""};
  }
  if (found.is_new) config.public_address = wanted;
  if (config.public_address.empty() && found.is_new)
    throw CommandError{attempted, fmt::format("{} does not exist", file.string()),
                       "say how devices reach this server: rdvctl init --address HOST:PORT"};
  if (!wanted.empty() && wanted != config.public_address)
    throw CommandError{attempted,
                       fmt::format("{} says public_address = \"{}\", --address says {}",
                                   file.string(), config.public_address, wanted),
                       "change one of the two"};
  return found;
}

void report(const Common& common, const Found& found) {
  const auto keys = load_keys(StatePaths{found.config.state_dir});
  const auto fingerprint = tunnel::to_hex(keys.authority.certificate().fingerprint());
  const auto& config = found.config;
  if (common.json) {
    const nlohmann::json facts{{"config", common.config.string()},
                               {"state_dir", config.state_dir.string()},
                               {"public_address", config.public_address},
                               {"ca_sha256", fingerprint}};
    fmt::print("{}\n", facts.dump(2));
    return;
  }
  fmt::print(
      "The server for {} is initialised: keys, certificates and store are in {}.\n"
      "{} {}\n"
      "SHA-256 of its CA certificate: {}\n"
      "Next: systemctl enable --now rdv-server, then rdvctl device add NAME --role onsite\n",
      config.public_address, config.state_dir.string(),
      found.is_new ? "Its configuration was written to" : "Its configuration is",
      common.config.string(), fingerprint);
}

void init(const Common& common, const std::string& address) try {
  const auto found = find_config(common.config, address);
  check_not_initialised(found.config);
  if (found.is_new) {
    if (const auto folder = common.config.parent_path(); !folder.empty())
      fs::create_directories(folder);
    tunnel::write_file_durably(
        common.config,
        first_config(parse_endpoint(found.config.public_address), found.config.state_dir),
        config_mode);
  }
  init_state(found.config, tunnel::unix_now());
  report(common, found);
  if (!server_user_exists())
    fmt::print(stderr,
               "rdvctl: there is no user rdv yet, so the files belong to the one who made them\n"
               "rdvctl: make it and give them to it: adduser --system --group rdv; "
               "chown -R rdv: {}\n",
               found.config.state_dir.string());
} catch (const CommandError&) {
  throw;
} catch (const InitError& e) {
  throw CommandError{attempted, e.what(), e.next()};
} catch (const ConfigError& e) {
  throw CommandError{attempted, e.what(), "correct the configuration and try again"};
} catch (const std::system_error& e) {
  const bool denied = e.code() == std::errc::permission_denied;
  throw CommandError{attempted, e.what(), denied ? "try again as root: sudo rdvctl init" : ""};
} catch (const std::exception& e) {
  throw CommandError{attempted, e.what(), ""};
}

}  // namespace

void add_init_command(CLI::App& app, const Common& common) {
  auto* command = app.add_subcommand(
      "init", "Make the server's CA, certificates, grant key and store. Works without the daemon.");
  const auto address = std::make_shared<std::string>();  // shared by the option and the callback
  command
      ->add_option("--address", *address,
                   "How devices reach this server, e.g. rdv.example.com:443; needed when the "
                   "configuration file does not exist yet")
      ->type_name("HOST:PORT");
  command->callback([&common, address] { init(common, *address); });
}

}  // namespace rdv::ctl
