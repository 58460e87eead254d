#pragma once
#include "config.hpp"
#include "crypto/certificate.hpp"

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rdv {

/// The server's keys and certificates, as `rdvctl init` made them.
struct ServerKeys {
  tunnel::crypto::Authority authority;
  tunnel::crypto::Key server_key;
  tunnel::crypto::Certificate server;
  tunnel::crypto::Key grant_key;
};

/// @param credentials  where the service manager has put the secret keys (systemd.exec(5),
/// LoadCredential=), by their files' names; those that are not there are read from `paths`. "":
/// none
/// @throws std::system_error naming the file; CryptoError
ServerKeys load_keys(const StatePaths& paths, const std::filesystem::path& credentials = {});

/// `rdvctl init` cannot do it.
class InitError : public std::runtime_error {
 public:
  /// @param next  what to do now, for a person
  InitError(const std::string& what, std::string next)
      : std::runtime_error{what}, next_{std::move(next)} {}
  const std::string& next() const noexcept { return next_; }

 private:
  std::string next_;
};

/// @throws InitError when the state of `config` exists already
void check_not_initialised(const Config& config);

/// Makes CA, server certificate, grant key and store in `config.state_dir`. Secret files are 0600.
/// As root, everything goes to the user `rdv`, if there is one.
/// @throws InitError when there is a CA already (nothing is changed then) or no public address;
/// std::system_error, CryptoError, StoreError
void init_state(const Config& config, tunnel::UnixSeconds now);

/// The content of a first server.toml; it listens on the port of `address`, which is what devices
/// dial.
std::string first_config(const Endpoint& address, const std::filesystem::path& state_dir);

}  // namespace rdv
