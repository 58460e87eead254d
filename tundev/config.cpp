#include "config.hpp"

#include "base/ipv4.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>

namespace device {
namespace {

constexpr std::size_t file_bytes_max = 64 * 1024;
constexpr std::size_t exclude_max = 32;      // globs in [master] exclude
constexpr std::size_t name_bytes_max = 253;  // a host name, RFC 1035 section 2.3.4

/// One table of the file and how to complain about what stands in it.
class Section {
 public:
  Section(const toml::table& table, std::string_view source, std::string prefix)
      : table_{table}, source_{source}, prefix_{std::move(prefix)} {}

  [[noreturn]] void refuse(const toml::node& node, std::string_view key,
                           std::string_view why) const {
    throw ConfigError{
        fmt::format("{}:{}: {}{}: {}", source_, node.source().begin.line, prefix_, key, why)};
  }

  void only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : table_)
      if (std::find(known.begin(), known.end(), key.str()) == known.end())
        refuse(value, key.str(),
               fmt::format("unknown key; known here: {}", fmt::join(known, ", ")));
  }

  /// The text at `key`, or nothing when it is absent.
  std::optional<std::string> text(std::string_view key) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    const auto* value = node->as_string();
    if (value == nullptr) refuse(*node, key, "must be a text in quotes");
    if (value->get().size() > PATH_MAX) refuse(*node, key, "is too long");
    if (std::any_of(value->get().begin(), value->get().end(),
                    [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      refuse(*node, key, "holds a control character");
    return value->get();
  }

  template <class Check>
  void text(std::string_view key, std::string& out, Check problem) const {
    auto value = text(key);
    if (!value) return;
    if (const std::string why = problem(*value); !why.empty()) refuse(*table_.get(key), key, why);
    out = std::move(*value);
  }

  void path(std::string_view key, std::filesystem::path& out) const {
    const auto value = text(key);
    if (!value) return;
    if (!value->starts_with('/')) refuse(*table_.get(key), key, "must be an absolute path");
    out = *value;
  }

  template <class Check>
  void texts(std::string_view key, std::vector<std::string>& out, Check problem) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return;
    const auto* list = node->as_array();
    if (list == nullptr) refuse(*node, key, "must be a list of texts");
    if (list->size() > exclude_max)
      refuse(*node, key, fmt::format("more than {} entries", exclude_max));
    out.clear();
    for (const auto& item : *list) {
      const auto* value = item.as_string();
      if (value == nullptr) refuse(item, key, "must be a list of texts");
      if (const std::string why = problem(value->get()); !why.empty()) refuse(item, key, why);
      out.push_back(value->get());
    }
  }

  Section section(std::string_view key) const {
    static const toml::table none;
    const auto* node = table_.get(key);
    if (node != nullptr && node->as_table() == nullptr)
      refuse(*node, key, fmt::format("must be a section: [{}]", key));
    return {node == nullptr ? none : *node->as_table(), source_, fmt::format("[{}] ", key)};
  }

 private:
  const toml::table& table_;
  std::string_view source_;
  std::string prefix_;
};

// Each answers what is wrong with a value, "" when nothing is.

std::string interface_problem(const std::string& name) {
  if (name.size() >= IFNAMSIZ) return fmt::format("longer than {} characters", IFNAMSIZ - 1);
  if (name.find_first_of("/ \"") != std::string::npos) return "not a name of an interface";
  return {};
}

std::string glob_problem(const std::string& glob) {
  return glob.size() > 64 ? "longer than 64 characters" : std::string{};
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string address_problem(const std::string& cidr) {
  const auto address = tunnel::Ipv4Prefix::parse(cidr);
  if (!address || cidr.find('/') == std::string::npos)
    return "must be an IPv4 address with its prefix length, e.g. \"192.168.38.225/29\"";
  if (address->length < 16 || address->length > 30)
    return "the prefix length must be from 16 to 30";
  const auto host = address->address.value & ~address->mask();
  if (host == 0 || host == ~address->mask())
    return "is the network or the broadcast address of its prefix, not one of a host";
  return {};
}

std::string server_problem(const std::string& address) {
  constexpr auto wanted =
      "must be host:port, an IPv6 address in brackets, e.g. \"rdv.example.com:443\"";
  if (address.empty()) return {};
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return wanted;
  const auto host = address.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (host.find(':') != std::string::npos && !bracketed) return wanted;
  const auto port = number<std::uint16_t>(std::string_view{address}.substr(colon + 1));
  if (!port || *port == 0 || host.size() > name_bytes_max) return wanted;
  return host.find_first_of(" /@\"") == std::string::npos ? "" : wanted;
}

void read_log(const Section& in, Config::Log& out) {
  using tunnel::log::Level;
  in.only({"level"});
  std::string level = "info";
  in.text("level", level, [](const std::string& word) {
    const bool known = word == "debug" || word == "info" || word == "warn" || word == "error";
    return known ? std::string{} : "must be \"debug\", \"info\", \"warn\" or \"error\"";
  });
  out.level = level == "debug"  ? Level::debug
              : level == "info" ? Level::info
              : level == "warn" ? Level::warn
                                : Level::error;
}

Config read(const Section& file) {
  Config config;
  file.only({"state_dir", "runtime_dir", "resolv_conf", "log", "server", "onsite", "master"});
  file.path("state_dir", config.state_dir);
  file.path("runtime_dir", config.runtime_dir);
  file.path("resolv_conf", config.resolv_conf);
  read_log(file.section("log"), config.log);

  const auto server = file.section("server");
  server.only({"address"});
  server.text("address", config.server.address, server_problem);

  const auto onsite = file.section("onsite");
  onsite.only({"interface"});
  onsite.text("interface", config.onsite.interface, interface_problem);

  const auto master = file.section("master");
  master.only({"address", "match", "exclude"});
  master.text("address", config.master.address, address_problem);
  master.text("match", config.master.match, glob_problem);
  master.texts("exclude", config.master.exclude, glob_problem);
  return config;
}

}  // namespace

Config parse_config(std::string_view toml, std::string_view source) {
  try {
    const auto table = toml::parse(toml, source);
    return read(Section{table, source, ""});
  } catch (const toml::parse_error& error) {
    throw ConfigError{
        fmt::format("{}:{}: {}", source, error.source().begin.line, error.description())};
  }
}

Config load_config(const std::filesystem::path& path) {
  const auto file = path.empty() ? std::filesystem::path{default_config_path} : path;
  std::error_code ec;
  if (path.empty() && !std::filesystem::exists(file, ec) && !ec) return {};
  std::ifstream in{file, std::ios::binary};
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (!in.is_open() || in.bad())
    throw ConfigError{fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno))};
  if (text.size() > file_bytes_max)
    throw ConfigError{fmt::format("{}: larger than {} bytes", file.string(), file_bytes_max)};
  return parse_config(text, file.string());
}

}  // namespace device
