#include "config.hpp"

#include "wire/limits.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <fstream>
#include <initializer_list>

namespace rdv {

namespace {

constexpr std::size_t file_bytes_max = 64 * 1024;
constexpr std::size_t listen_max = 16;

/// One table of the file, and how to complain about what stands in it.
class Section {
 public:
  Section(const toml::table& table, std::string_view file, std::string prefix)
      : table_{table}, file_{file}, prefix_{std::move(prefix)} {}

  [[noreturn]] void refuse(const toml::node& node, std::string_view key,
                           std::string_view why) const {
    throw ConfigError{
        fmt::format("{}:{}: `{}{}` {}", file_, node.source().begin.line, prefix_, key, why)};
  }

  void only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, node] : table_)
      if (std::find(known.begin(), known.end(), key.str()) == known.end())
        refuse(node, key.str(),
               fmt::format("is not a key of this file; known here: {}", fmt::join(known, ", ")));
  }

  /// The text at `key`, or null when the key is absent.
  const std::string* text(std::string_view key) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return nullptr;
    const auto* value = node->as_string();
    if (value == nullptr) refuse(*node, key, "must be a text in quotes");
    return &value->get();
  }

  void number(std::string_view key, std::uint32_t& out, std::uint32_t min,
              std::uint32_t max) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return;
    const auto* value = node->as_integer();
    if (value == nullptr || value->get() < min || value->get() > max)
      refuse(*node, key, fmt::format("must be a whole number from {} to {}", min, max));
    out = static_cast<std::uint32_t>(value->get());
  }

  Section section(std::string_view key) const {
    static const toml::table none;
    const auto* node = table_.get(key);
    if (node == nullptr) return {none, file_, fmt::format("{}.", key)};
    if (node->as_table() == nullptr) refuse(*node, key, fmt::format("must be a table: [{}]", key));
    return {*node->as_table(), file_, fmt::format("{}.", key)};
  }

  std::string_view file() const { return file_; }
  const toml::node* find(std::string_view key) const { return table_.get(key); }

 private:
  const toml::table& table_;
  std::string_view file_;
  std::string prefix_;
};

bool is_ip_address(const std::string& host) {
  in6_addr v6{};
  in_addr v4{};
  return ::inet_pton(AF_INET, host.c_str(), &v4) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

void read_listen(const Section& root, std::vector<Endpoint>& listen) {
  constexpr std::string_view wanted =
      "must be a list of addresses with ports, e.g. [\"0.0.0.0:443\", \"[::]:443\"]";
  const auto* node = root.find("listen");
  if (node == nullptr) return;
  const auto* list = node->as_array();
  if (list == nullptr || list->empty() || list->size() > listen_max)
    root.refuse(*node, "listen", wanted);
  listen.clear();
  for (const auto& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr) root.refuse(item, "listen", wanted);
    try {
      listen.push_back(parse_endpoint(text->get()));
    } catch (const std::invalid_argument& e) {
      root.refuse(item, "listen", e.what());
    }
    if (!is_ip_address(listen.back().host)) root.refuse(item, "listen", wanted);
  }
}

void read_public_address(const Section& root, std::string& address) {
  const auto* text = root.text("public_address");
  if (text == nullptr)
    throw ConfigError{
        fmt::format("{}: `public_address` is missing; add the line: public_address = \"HOST:443\"",
                    root.file())};
  try {
    address = parse_endpoint(*text).str();
  } catch (const std::invalid_argument& e) {
    root.refuse(*root.find("public_address"), "public_address", e.what());
  }
}

void read_log(const Section& section, tunnel::log::Level& level) {
  using tunnel::log::Level;
  section.only({"level"});
  const auto* text = section.text("level");
  if (text == nullptr) return;
  if (*text == "debug")
    level = Level::debug;
  else if (*text == "info")
    level = Level::info;
  else if (*text == "warn")
    level = Level::warn;
  else if (*text == "error")
    level = Level::error;
  else
    section.refuse(*section.find("level"), "level", "must be debug, info, warn or error");
}

std::filesystem::path read_folder(const Section& section, std::string_view key,
                                  std::filesystem::path otherwise) {
  const auto* path = section.text(key);
  if (path == nullptr) return otherwise;
  if (!path->starts_with('/')) section.refuse(*section.find(key), key, "must be an absolute path");
  return *path;
}

void read_audit(const Section& section, AuditSettings& audit) {
  section.only({"dir", "when_full", "file_mb"});
  audit.dir = read_folder(section, "dir", audit.dir);
  section.number("file_mb", audit.file_mb, 1, 1'024);
  const auto* text = section.text("when_full");
  if (text == nullptr) return;
  if (*text == "continue")
    audit.when_full = WhenFull::continue_;
  else if (*text == "refuse")
    audit.when_full = WhenFull::refuse;
  else
    section.refuse(*section.find("when_full"), "when_full", "must be continue or refuse");
}

void read_limits(const Section& section, Limits& limits) {
  section.only({"half_open", "half_open_per_address", "devices", "connections", "sessions",
                "waiting", "session_seconds", "session_seconds_max", "ping_after_seconds",
                "relay_idle_seconds"});
  section.number("half_open", limits.half_open, 1, 65'536);
  section.number("half_open_per_address", limits.half_open_per_address, 1, 65'536);
  section.number("devices", limits.devices, 1, 1'000'000);
  section.number("connections", limits.connections, 1, 1'000'000);
  section.number("sessions", limits.sessions, 1, 8'192);  // the tunnel pool has so many
  section.number("waiting", limits.waiting, 0, 65'536);
  section.number("session_seconds", limits.session_seconds, 1, tunnel::wire::session_seconds_max);
  section.number("session_seconds_max", limits.session_seconds_max, 1,
                 tunnel::wire::session_seconds_max);
  section.number("ping_after_seconds", limits.ping_after_seconds,
                 static_cast<std::uint32_t>(tunnel::wire::ping_after_min.count()),
                 static_cast<std::uint32_t>(tunnel::wire::ping_after_max.count()));
  section.number("relay_idle_seconds", limits.relay_idle_seconds, 10, 86'400);
}

}  // namespace

std::string Endpoint::str() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Endpoint parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (text.size() > tunnel::wire::address_chars_max || colon == std::string_view::npos)
    throw std::invalid_argument{"must be HOST:PORT, e.g. rdv.example.com:443 or [2001:db8::1]:443"};
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  const bool plain = std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == ':';
  });
  if (host.empty() || !plain || bracketed != has_colon ||
      (bracketed && !is_ip_address(std::string{host})))
    throw std::invalid_argument{
        "has no valid host; give a name, an IPv4 address or an IPv6 address in brackets"};
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (ec != std::errc{} || end != digits.data() + digits.size() || port == 0)
    throw std::invalid_argument{"has no valid port; give a number from 1 to 65535"};
  return {std::string{host}, port};
}

Config parse_config(std::string_view text, std::string_view name) try {
  const toml::table table = toml::parse(text);
  const Section root{table, name, ""};
  Config config;
  root.only({"listen", "public_address", "state_dir", "limits", "audit", "log"});
  read_listen(root, config.listen);
  read_public_address(root, config.public_address);
  config.state_dir = read_folder(root, "state_dir", config.state_dir);
  read_limits(root.section("limits"), config.limits);
  read_audit(root.section("audit"), config.audit);
  read_log(root.section("log"), config.log_level);
  return config;
} catch (const toml::parse_error& e) {
  throw ConfigError{fmt::format("{}:{}: {}", name, e.source().begin.line, e.description())};
}

Config load_config(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in)
    throw ConfigError{fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno))};
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max)
    throw ConfigError{fmt::format("{}: longer than {} bytes", file.string(), file_bytes_max)};
  return parse_config(text, file.string());
}

}  // namespace rdv
