#include "base/proxy_url.hpp"

#include <algorithm>
#include <charconv>

namespace tunnel {
namespace {

/// RFC 3986, section 2.1. @return nothing when a % is not followed by two digits, or the result is
/// no text
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      unsigned value = 0;
      const auto digits = text.substr(i + 1, 2);
      const auto [end, ec] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (digits.size() != 2 || ec != std::errc{} || end != digits.data() + 2) return std::nullopt;
      c = static_cast<char>(value);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    decoded += c;
  }
  return decoded;
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc{} && end == text.data() + text.size() && value > 0 && value < 65536;
}

/// host, host:port, [v6], [v6]:port
bool split_host(std::string_view text, ProxyUrl& out) {
  auto rest = text;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return false;
    out.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    out.host = text.substr(0, text.find(':'));
    rest = text.substr(out.host.size());
  }
  if (out.host.empty() || out.host.size() > 253 ||
      out.host.find_first_of(" \"'<>\\^`{|}?#,;") != std::string::npos)
    return false;
  if (rest.empty()) return true;
  out.port = rest.substr(1);
  return rest.front() == ':' && is_port(out.port);
}

}  // namespace

std::optional<ProxyUrl> ProxyUrl::parse(std::string_view url, std::string& problem) {
  constexpr std::string_view scheme_end = "://";
  const auto scheme = url.find(scheme_end);
  if (scheme != std::string_view::npos) {
    const auto name = url.substr(0, scheme);
    if (name != "http") {
      problem = "must begin with http://; no other kind of proxy is possible";
      return std::nullopt;
    }
    url.remove_prefix(scheme + scheme_end.size());
  }
  problem =
      "must be like http://user:password@proxy.example.com:3128 (with a % in user or password "
      "as %25, an @ as %40)";
  ProxyUrl proxy;
  if (url.ends_with('/')) url.remove_suffix(1);
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    const auto login = url.substr(0, at);
    const auto colon = login.find(':');
    auto user = percent_decoded(login.substr(0, colon));
    auto password = percent_decoded(colon == std::string_view::npos ? std::string_view{}
                                                                    : login.substr(colon + 1));
    if (!user || !password || user->size() > login_bytes_max || password->size() > login_bytes_max)
      return std::nullopt;
    proxy.user = std::move(*user);
    proxy.password = std::move(*password);
    url.remove_prefix(at + 1);
  }
  if (url.find('/') != std::string_view::npos || !split_host(url, proxy)) return std::nullopt;
  problem.clear();
  return proxy;
}

std::string ProxyUrl::address() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]:" : host + ":") + port;
}

}  // namespace tunnel
