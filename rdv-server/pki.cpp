#include "pki.hpp"

#include "base/files.hpp"
#include "own_files.hpp"
#include "sqlite_store.hpp"

#include <fmt/format.h>

namespace rdv {

using tunnel::UnixSeconds;

namespace crypto = tunnel::crypto;
namespace fs = std::filesystem;

namespace {

constexpr unsigned secret_mode = 0600;
constexpr unsigned public_mode = 0644;

}  // namespace

void check_not_initialised(const Config& config) {
  const StatePaths paths{config.state_dir};
  for (const auto& path : {paths.ca_key, paths.ca, paths.store, paths.grant_key})
    if (fs::exists(path))
      throw InitError{
          fmt::format("{} exists already: this server is set up, and every enrolled device trusts "
                      "its keys",
                      path.string()),
          fmt::format("to begin anew and lose all devices, stop rdv-server and remove {}",
                      path.parent_path().string())};
}

ServerKeys load_keys(const StatePaths& paths, const fs::path& credentials) {
  const auto secret = [&](const fs::path& file) {
    const auto given = credentials / file.filename();
    return tunnel::read_file(!credentials.empty() && fs::exists(given) ? given : file);
  };
  return {crypto::Authority::load(secret(paths.ca_key), tunnel::read_file(paths.ca)),
          crypto::Key::private_from_pem(secret(paths.server_key)),
          crypto::Certificate::from_pem(tunnel::read_file(paths.server)),
          crypto::Key::private_from_pem(secret(paths.grant_key))};
}

void init_state(const Config& config, UnixSeconds now) {
  if (config.public_address.empty())
    throw InitError{"no address is known by which devices reach this server",
                    "give it: rdvctl init --address HOST:PORT"};
  const StatePaths paths{config.state_dir};
  check_not_initialised(config);
  make_state_dir(config.state_dir);
  const auto authority = crypto::Authority::create(now);
  const auto server_key = crypto::Key::generate();
  const auto server =
      authority.issue_server(server_key, {parse_endpoint(config.public_address).host}, now);
  const auto grant_key = crypto::Key::generate();
  tunnel::write_file_durably(paths.server_key, server_key.private_pem(), secret_mode);
  tunnel::write_file_durably(paths.server, server.pem(), public_mode);
  tunnel::write_file_durably(paths.grant_key, grant_key.private_pem(), secret_mode);
  tunnel::write_file_durably(paths.grant_public, grant_key.public_pem(), public_mode);
  tunnel::write_file_durably(paths.ca, authority.certificate().pem(), public_mode);
  tunnel::write_file_durably(paths.ca_key, authority.key().private_pem(), secret_mode);
  open_sqlite_store(paths.store, true).reset();
  give_to_rdv(config.state_dir);
}

std::string first_config(const Endpoint& address, const fs::path& state_dir) {
  return fmt::format(
      "# The RDV server, written by `rdvctl init`. server.toml.example documents every key.\n"
      "listen = [\"0.0.0.0:{1}\", \"[::]:{1}\"]\n"
      "public_address = \"{0}\"\n"
      "state_dir = \"{2}\"\n",
      address.str(), address.port, state_dir.string());
}

}  // namespace rdv
