#include "dial/host_port.hpp"

#include <boost/algorithm/string/trim.hpp>
#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace device {

std::optional<HostPort> HostPort::parse(std::string_view text) {
  HostPort at;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    at.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && !text.starts_with(':')) return std::nullopt;
    if (!text.empty()) at.port = text.substr(1);
  } else {
    const auto colon = text.find(':');
    at.host = text.substr(0, colon);
    if (colon != std::string_view::npos) at.port = text.substr(colon + 1);
  }
  const bool digits =
      !at.port.empty() && at.port.size() <= 5 &&
      std::all_of(at.port.begin(), at.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (at.host.empty() || !digits || std::stoul(at.port) > 65535) return std::nullopt;
  return at;
}

std::string HostPort::str() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]:" : host + ":") + port;
}

bool HostPort::is_address() const {
  boost::system::error_code ec;
  (void)boost::asio::ip::make_address(host, ec);
  return !ec;
}

std::optional<std::vector<HostPort>> parse_servers(std::string_view text) {
  std::vector<HostPort> servers;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto server = HostPort::parse(boost::trim_copy(std::string{text.substr(0, comma)}));
    if (!server) return std::nullopt;
    servers.push_back(*server);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  if (servers.empty()) return std::nullopt;
  return servers;
}

}  // namespace device
