#pragma once
#include "io/asio.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace device {

namespace asio = tunnel::io::asio;
using asio::ip::tcp;
using tunnel::io::Task;

/// host:port, [v6]:port; the port may be missing (443).
struct HostPort {
  std::string host;
  std::string port;
  static std::optional<HostPort> parse(std::string_view text);
};

/// Why there is no connection, for a person: "connection refused".
struct DialFailure {
  std::string why;
};

/// Resolves `server` and connects to the first of its addresses that answers, IPv6 and IPv4 in the
/// resolver's order. At most wire::connect_timeout for all addresses together; a resolver that
/// hangs is waited for as long as resolv.conf says.
Task<std::variant<tcp::socket, DialFailure>> dial(std::string server);
/// Connects to one address, within wire::connect_timeout.
Task<std::variant<tcp::socket, DialFailure>> dial(tcp::endpoint endpoint);

}  // namespace device
