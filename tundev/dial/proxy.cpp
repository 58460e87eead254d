#include "dial/proxy.hpp"

#include "base/ipv4.hpp"
#include "base/proxy_url.hpp"
#include "crypto/hash.hpp"

#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace device {
namespace {

constexpr std::size_t cnonce_bytes = 12;
constexpr std::size_t exempt_max = 64;

std::string first_set(const ProxyChoice::Environment& environment,
                      std::initializer_list<const char*> names, std::string& which) {
  for (const char* name : names)
    if (const char* value = environment(name); value != nullptr && *value != '\0') {
      which = name;
      return value;
    }
  return {};
}

/// "a.example, .b.example 10.0.0.0/8"
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty() && words.size() < exempt_max) {
    const auto end = std::min(text.find_first_of(", \t"), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

/// The file's first line. @throws ConfigError
std::string read_password(const std::filesystem::path& path) {
  std::ifstream in{path};
  std::string line;
  std::getline(in, line);
  if (!in.is_open() || in.bad() || line.empty())
    throw ConfigError{fmt::format("[proxy] password_file {}: {}", path.string(),
                                  in.is_open() ? "is empty" : std::strerror(errno))};
  boost::trim_right_if(line, [](char c) { return c == '\r'; });
  if (line.size() > tunnel::ProxyUrl::login_bytes_max)
    throw ConfigError{fmt::format("[proxy] password_file {}: is longer than {} bytes",
                                  path.string(), tunnel::ProxyUrl::login_bytes_max)};
  return line;
}

}  // namespace

std::string Proxy::authorization(std::string_view target) {
  if (!challenge_) return {};
  std::array<std::byte, cnonce_bytes> random;
  tunnel::crypto::random_fill(random);
  return device::authorization(*challenge_, login_, target, ++answered_, tunnel::to_hex(random));
}

void Proxy::on_challenge(Challenge challenge) {
  challenge_ = std::move(challenge);
  answered_ = 0;
}

ProxyChoice ProxyChoice::from(const Config::Proxy& config, const Environment& environment) {
  ProxyChoice choice;
  if (config.url == "direct") return choice;
  std::string which = "[proxy] url";
  auto text = config.url;
  choice.exempt_ = config.no_proxy;
  if (text.empty()) {
    std::string ignored;
    text = first_set(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}, which);
    choice.exempt_ = split_list(first_set(environment, {"no_proxy", "NO_PROXY"}, ignored));
  }
  if (text.empty()) return choice;
  std::string problem;
  auto url = tunnel::ProxyUrl::parse(text, problem);
  if (!url) throw ConfigError{fmt::format("{} {}", which, problem)};
  if (!config.user.empty()) url->user = config.user;
  if (!config.password.empty()) url->password = config.password;
  if (!config.password_file.empty()) url->password = read_password(config.password_file);
  choice.proxy_ = std::make_shared<Proxy>(HostPort{url->host, url->port},
                                          Login{std::move(url->user), std::move(url->password)});
  return choice;
}

std::shared_ptr<Proxy> ProxyChoice::for_host(const std::string& host) const {
  return proxy_ && !is_exempt(host, exempt_) ? proxy_ : nullptr;
}

bool is_exempt(const std::string& host, const std::vector<std::string>& exempt) {
  const auto address = tunnel::Ipv4Prefix::parse(host);
  return std::any_of(exempt.begin(), exempt.end(), [&](std::string entry) {
    if (entry == "*") return true;
    if (entry.find('/') != std::string::npos) {
      const auto prefix = tunnel::Ipv4Prefix::parse(entry);
      return prefix && address &&
             (address->address.value & prefix->mask()) == (prefix->address.value & prefix->mask());
    }
    boost::trim_left_if(entry, [](char c) { return c == '.'; });
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
    return !entry.empty() && (boost::algorithm::iequals(host, entry) ||
                              boost::algorithm::iends_with(host, "." + entry));
  });
}

}  // namespace device
