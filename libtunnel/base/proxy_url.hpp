#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tunnel {

/// An HTTP proxy as people write it: http://user:password@proxy:3128, or without "http://". Nothing
/// that tells of it (errors, address()) holds the password.
struct ProxyUrl {
  static constexpr std::size_t login_bytes_max = 256;  ///< user and password, each

  std::string host;  ///< IPv6 without brackets
  std::string port = "80";
  std::string user, password;  ///< "" when the URL has none

  /// @param problem  why there is no answer: the end of a sentence that begins with the URL's name
  static std::optional<ProxyUrl> parse(std::string_view url, std::string& problem);
  /// "proxy:3128"
  std::string address() const;
};

}  // namespace tunnel
