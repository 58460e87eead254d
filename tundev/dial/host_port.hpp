#pragma once
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace device {

/// host:port, [v6]:port; the port may be missing (443).
struct HostPort {
  static constexpr char default_port[] = "443";

  std::string host;  ///< without brackets
  std::string port = default_port;

  static std::optional<HostPort> parse(std::string_view text);
  /// As parse() reads it, always with the port.
  std::string str() const;
  bool is_address() const;  ///< an IPv4 or IPv6 address, not a name
  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};

/// "a:443, b:443": the servers of a device, the preferred one first.
///
/// @return nothing when one of them cannot be read, or there is none
std::optional<std::vector<HostPort>> parse_servers(std::string_view text);

}  // namespace device
