#pragma once
#include "base/log.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace device {

/// The configuration cannot be used; what() is one sentence that names the file and the line.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A device's /etc/rdv/device.toml, checked. tundev-agent and tundev-netd read the same file; every
/// key is optional and documented in tundev/device.toml, which is installed as the example.
struct Config {
  struct Log {
    tunnel::log::Level level = tunnel::log::Level::info;
  };
  struct Server {
    /// host:port, IPv6 in brackets; several with ", " between them, the preferred one first; "":
    /// the one we were enrolled with.
    std::string address;
  };
  /// An HTTP proxy on the way to the server; the agent's.
  struct Proxy {
    std::string url;  ///< ProxyUrl, "direct", or "": as the environment says
    std::string user, password;
    std::filesystem::path password_file;
    std::vector<std::string> no_proxy;  ///< hosts that are reached without it
  };
  struct Uplink {
    /// Which interfaces lead to the server, the best first: "eth", "wlan", "wwan" (all of that
    /// kind) or globs of names. Empty: the kernel's default route decides.
    std::vector<std::string> devices;
    std::string device;  ///< this one and no other; "": decide by `devices`
    /// How long the server has to answer by a better uplink before we return to it.
    std::chrono::seconds return_after{60};
  };
  struct Onsite {
    std::string interface;  ///< the customer's LAN port; "": the interface of the default route
    bool l2 = true;         ///< a master's laptop may join that LAN (mode L2)
  };
  struct Master {
    /// Ours on the laptop's port, IPv4 CIDR, /16 to /30.
    std::string address = "192.168.38.225/29";
    std::string match;                 ///< glob of names that may be the laptop's port; "": any
    std::vector<std::string> exclude;  ///< globs of names that are never the laptop's port
  };

  std::filesystem::path state_dir = "/var/lib/rdv-tundev";  ///< identity; tundev-agent's
  std::filesystem::path runtime_dir = "/run/rdv";           ///< dnsmasq's files; tundev-netd's
  std::filesystem::path resolv_conf = "/etc/resolv.conf";  ///< where the uplink's DNS servers stand
  Log log;
  Server server;
  Proxy proxy;
  Uplink uplink;
  Onsite onsite;
  Master master;
};

inline constexpr std::string_view default_config_path = "/etc/rdv/device.toml";

/// Reads TOML text.
///
/// @param source  the file's name, for the message
/// @throws ConfigError on a syntax error, an unknown key or an unusable value, with the line
Config parse_config(std::string_view toml, std::string_view source);

/// Reads `path`; "" means default_config_path, where a missing file means the defaults.
///
/// @throws ConfigError as parse_config(), and when the file cannot be read
Config load_config(const std::filesystem::path& path);

}  // namespace device
