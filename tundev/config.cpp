#include "config.hpp"

#include "base/ipv4.hpp"
#include "base/proxy_url.hpp"

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
constexpr std::size_t list_max = 32;
constexpr std::size_t servers_max = 8;
constexpr std::size_t name_bytes_max = 253;  // a host name, RFC 1035 section 2.3.4

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

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
    if (has_control_characters(value->get())) refuse(*node, key, "holds a control character");
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
    if (list->size() > list_max) refuse(*node, key, fmt::format("more than {} entries", list_max));
    out.clear();
    for (const auto& item : *list) {
      const auto* value = item.as_string();
      if (value == nullptr) refuse(item, key, "must be a list of texts");
      if (has_control_characters(value->get())) refuse(item, key, "holds a control character");
      if (const std::string why = problem(value->get()); !why.empty()) refuse(item, key, why);
      out.push_back(value->get());
    }
  }

  bool is_list(std::string_view key) const {
    const auto* node = table_.get(key);
    return node != nullptr && node->is_array();
  }

  /// @param out  stays as it is when the key is absent
  void seconds(std::string_view key, std::chrono::seconds& out, std::int64_t least,
               std::int64_t most) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < least || *value > most)
      refuse(*node, key, fmt::format("must be a number of seconds from {} to {}", least, most));
    out = std::chrono::seconds{*value};
  }

  /// @param out  stays as it is when the key is absent
  void flag(std::string_view key, bool& out) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<bool>();
    if (!value) refuse(*node, key, "must be true or false");
    out = *value;
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

std::string proxy_problem(const std::string& url) {
  std::string problem;
  if (!url.empty() && url != "direct") (void)tunnel::ProxyUrl::parse(url, problem);
  return problem;
}

std::string login_problem(const std::string& text) {
  const bool good = text.size() <= tunnel::ProxyUrl::login_bytes_max;
  return good ? std::string{}
              : fmt::format("longer than {} bytes", tunnel::ProxyUrl::login_bytes_max);
}

std::string host_problem(const std::string& host) {
  const bool good = !host.empty() && host.size() <= name_bytes_max &&
                    host.find_first_of(" ,@\"") == std::string::npos;
  return good ? "" : "must be a name, an address or a prefix, e.g. \"10.0.0.0/8\"";
}

/// One server, or a list of them; kept as one text.
void read_servers(const Section& in, std::string& out) {
  in.only({"address"});
  if (!in.is_list("address")) return in.text("address", out, server_problem);
  std::vector<std::string> servers;
  in.texts("address", servers, [&](const std::string& server) {
    if (servers.size() >= servers_max) return fmt::format("more than {} servers", servers_max);
    return server.empty() ? std::string{"a server is missing"} : server_problem(server);
  });
  out = fmt::format("{}", fmt::join(servers, ", "));
}

void read_proxy(const Section& in, Config::Proxy& out) {
  in.only({"url", "user", "password", "password_file", "no_proxy"});
  in.text("url", out.url, proxy_problem);
  in.text("user", out.user, login_problem);
  in.text("password", out.password, login_problem);
  in.path("password_file", out.password_file);
  in.texts("no_proxy", out.no_proxy, host_problem);
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

void read_uplink(const Section& in, Config::Uplink& out) {
  in.only({"devices", "device", "return_after"});
  in.texts("devices", out.devices, glob_problem);
  in.text("device", out.device, interface_problem);
  in.seconds("return_after", out.return_after, 5, 3600);
}

Config read(const Section& file) {
  Config config;
  file.only({"state_dir", "runtime_dir", "resolv_conf", "log", "server", "proxy", "uplink",
             "onsite", "master"});
  file.path("state_dir", config.state_dir);
  file.path("runtime_dir", config.runtime_dir);
  file.path("resolv_conf", config.resolv_conf);
  read_log(file.section("log"), config.log);

  read_servers(file.section("server"), config.server.address);
  read_proxy(file.section("proxy"), config.proxy);

  read_uplink(file.section("uplink"), config.uplink);

  const auto onsite = file.section("onsite");
  onsite.only({"interface", "l2"});
  onsite.text("interface", config.onsite.interface, interface_problem);
  onsite.flag("l2", config.onsite.l2);

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
