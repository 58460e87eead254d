#pragma once
#include "base/log.hpp"

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rdv {

/// An address and port to listen on.
struct Endpoint {
  std::string host;  ///< IPv4 or IPv6 address, without brackets
  std::uint16_t port = 443;
  std::string str() const;  ///< "0.0.0.0:443", "[::]:443"
  bool operator==(const Endpoint&) const = default;
};

/// [limits] of server.toml.
struct Limits {
  std::uint32_t half_open = 64;              ///< connections that are not authenticated yet
  std::uint32_t half_open_per_address = 16;  ///< of them, from one address
  std::uint32_t devices = 10'000;            ///< registered
  std::uint32_t connections = 4'096;         ///< devices connected at once
  std::uint32_t sessions = 256;              ///< at once
  std::uint32_t waiting = 256;               ///< masters waiting for an onsite that is offline
  std::uint32_t session_seconds = 8 * 3600;  ///< of a session whose master does not say how long
  std::uint32_t session_seconds_max = 24 * 3600;
  std::uint32_t ping_after_seconds =
      25;  ///< silence on a control connection after which the device asks
  /// A relay that carries nothing for so long is ended (devices speak every 5 s).
  std::uint32_t relay_idle_seconds = 60;

  bool operator==(const Limits&) const = default;
};

/// What becomes of new sessions while the audit cannot be written.
enum class WhenFull {
  continue_,  ///< they are opened; what does not fit is kept in memory, and counted when too much
  refuse,     ///< none is opened; those that run go on
};

/// [audit] of server.toml.
struct AuditSettings {
  std::filesystem::path dir;  ///< "": `audit` in the state_dir
  WhenFull when_full = WhenFull::continue_;
  std::uint32_t file_mb = 16;  ///< millions of bytes in a file, then the next one begins
  bool operator==(const AuditSettings&) const = default;
};

/// server.toml, checked. Every key is documented in server.toml.example.
struct Config {
  std::vector<Endpoint> listen{{"0.0.0.0", 443}, {"::", 443}};
  std::string public_address;  ///< host:port or [v6]:port that devices dial; goes into enrolment
                               ///< codes; must be given
  std::filesystem::path state_dir = "/var/lib/rdv";
  Limits limits;
  AuditSettings audit;
  tunnel::log::Level log_level = tunnel::log::Level::info;
};

/// Where the audit's files are.
inline std::filesystem::path audit_dir(const Config& config) {
  return config.audit.dir.empty() ? config.state_dir / "audit" : config.audit.dir;
}

inline constexpr char default_config_path[] = "/etc/rdv/server.toml";

/// What is wrong with the configuration: "/etc/rdv/server.toml:7: `lisen` is not a key of this
/// file".
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// @throws ConfigError naming file and line
Config load_config(const std::filesystem::path& file);
/// @param name  of the file, for messages
Config parse_config(std::string_view text, std::string_view name);

/// Splits "host:port" or "[v6]:port". @throws std::invalid_argument saying what is wrong with it
Endpoint parse_endpoint(std::string_view text);

/// The files in `state_dir`.
struct StatePaths {
  explicit StatePaths(const std::filesystem::path& state_dir)
      : store{state_dir / "rdv.db"},
        ca_key{state_dir / "ca.key"},
        ca{state_dir / "ca.pem"},
        server_key{state_dir / "server.key"},
        server{state_dir / "server.pem"},
        grant_key{state_dir / "grant.key"},
        grant_public{state_dir / "grant.pub"} {}
  std::filesystem::path store, ca_key, ca, server_key, server, grant_key, grant_public;
};

}  // namespace rdv
