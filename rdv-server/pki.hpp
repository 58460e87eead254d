#pragma once
#include "config.hpp"
#include "crypto/certificate.hpp"

#include <string>

namespace rdv {

/// The server's keys and certificates, as `rdvctl init` made them.
struct ServerKeys {
  tunnel::crypto::Authority authority;
  tunnel::crypto::Key server_key;
  tunnel::crypto::Certificate server;
  tunnel::crypto::Key grant_key;
};

/// @throws std::system_error naming the file; CryptoError
ServerKeys load_keys(const StatePaths& paths);

/// Makes CA, server certificate, grant key and store in `config.state_dir`; a file is 0600, or 0644
/// when public. As root, everything goes to the user `rdv`, if there is one.
/// @throws std::runtime_error when there is a CA already (nothing is changed then), or a file
/// cannot be written
void init_state(const Config& config, tunnel::UnixSeconds now);

/// The content of a first server.toml. @param address  host:port that devices dial
std::string first_config(std::string_view address, const std::filesystem::path& state_dir);

}  // namespace rdv
