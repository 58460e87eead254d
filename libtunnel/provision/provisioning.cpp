#include "provision/provisioning.hpp"

#include "provision/reader.hpp"
#include "provision/values.hpp"
#include "wire/enrolment_code.hpp"
#include "wire/limits.hpp"
#include "wire/names.hpp"

#include <fmt/format.h>

namespace tunnel::provision {
namespace {

constexpr std::int64_t format = 1;

void read_address(Reader& in, Provisioning::Uplink& out) {
  const bool own_address = in.text("address", out.address, Need::yes, address_problem);
  in.text("gateway", out.gateway, Need::yes, [&](std::string_view gateway) {
    return own_address ? gateway_problem(gateway, out.address) : host_problem(gateway);
  });
  in.texts("dns", out.dns, Need::yes, dns_servers_max, host_problem);
}

void read_wifi(Reader& in, Provisioning::Uplink& out) {
  in.only({"kind", "interface", "ssid", "passphrase", "country", "address", "gateway", "dns"},
          "with kind = \"wifi\"");
  in.text("ssid", out.ssid, Need::yes, ssid_problem);
  in.text("passphrase", out.passphrase, Need::no, passphrase_problem);
  in.text("country", out.country, Need::yes, country_problem);
  if (in.has("address") || in.has("gateway") || in.has("dns")) read_address(in, out);
}

void read_apn(Reader& in, Provisioning::Uplink& out) {
  in.only({"kind", "interface", "apn", "user", "password", "pin"}, "with kind = \"apn\"");
  in.text("apn", out.apn, Need::yes, apn_problem);
  in.text("user", out.user, Need::no, login_problem);
  in.text("password", out.password, Need::no, login_problem);
  in.text("pin", out.pin, Need::no, pin_problem);
}

void read_uplink(Reader in, Provisioning::Uplink& out) {
  const bool known = in.text("kind", out.kind, Need::no, [](std::string_view kind) -> std::string {
    const bool good = kind == "dhcp" || kind == "static" || kind == "wifi" || kind == "apn";
    return good ? "" : "must be \"dhcp\", \"static\", \"wifi\" or \"apn\"";
  });
  if (!known) return;  // which keys are right would be a guess
  in.text("interface", out.interface, Need::no, interface_problem);
  if (out.kind == "wifi") return read_wifi(in, out);
  if (out.kind == "apn") return read_apn(in, out);
  if (out.kind == "dhcp") return in.only({"kind", "interface"}, "with kind = \"dhcp\"");
  in.only({"kind", "interface", "address", "gateway", "dns"}, "with kind = \"static\"");
  read_address(in, out);
}

void read_proxy(Reader in, Provisioning::Proxy& out) {
  in.only({"url", "user", "password"});
  const auto need = in.has("user") || in.has("password") ? Need::yes : Need::no;
  in.text("url", out.url, need, proxy_problem);
  in.text("user", out.user, Need::no, login_problem);
  in.text("password", out.password, Need::no, login_problem);
}

Provisioning read(Reader& file, Code code) {
  Provisioning out;
  file.only({"format", "name", "role", "code", "ssh_keys", "uplink", "proxy"});
  file.text("name", out.name, Need::yes, name_problem);
  file.text("role", out.role, Need::yes, role_problem);
  file.text("code", out.code, code == Code::needed ? Need::yes : Need::no, code_problem);
  file.texts("ssh_keys", out.ssh_keys, Need::no, ssh_keys_max, ssh_key_problem);
  read_uplink(file.section("uplink"), out.uplink);
  read_proxy(file.section("proxy"), out.proxy);
  return out;
}

/// TOML's basic string (toml.io/en/v1.0.0, "String").
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\u{:04X}", byte);
    else
      out += c;
  }
  return out + '"';
}

std::string line(std::string_view key, std::string_view value) {
  return value.empty() ? std::string{} : fmt::format("{} = {}\n", key, quoted(value));
}

std::string list(std::string_view key, const std::vector<std::string>& values) {
  if (values.empty()) return {};
  std::string out = fmt::format("{} = [", key);
  for (const auto& value : values)
    out += fmt::format("{}\n  {}", &value == values.data() ? "" : ",", quoted(value));
  return out + "\n]\n";
}

std::string uplink_toml(const Provisioning::Uplink& uplink) {
  return "\n[uplink]\n" + line("kind", uplink.kind) + line("interface", uplink.interface) +
         line("ssid", uplink.ssid) + line("passphrase", uplink.passphrase) +
         line("country", uplink.country) + line("address", uplink.address) +
         line("gateway", uplink.gateway) + list("dns", uplink.dns) + line("apn", uplink.apn) +
         line("user", uplink.user) + line("password", uplink.password) + line("pin", uplink.pin);
}

std::string proxy_toml(const Provisioning::Proxy& proxy) {
  const auto text =
      line("url", proxy.url) + line("user", proxy.user) + line("password", proxy.password);
  return text.empty() ? text : "\n[proxy]\n" + text;
}

}  // namespace

std::string Problem::str() const {
  return fmt::format("{}{}{}{}", line == 0 ? "" : fmt::format("line {}: ", line), key,
                     key.empty() ? "" : ": ", why);
}

std::variant<Provisioning, Problems> check(std::string_view text, Code code) {
  Problems problems;
  const auto bytes_max = code == Code::needed ? file_bytes_max : kept_bytes_max;
  if (text.size() > bytes_max) {
    problems.push_back({0, "", fmt::format("the file is larger than {} bytes", bytes_max)});
    return problems;
  }
  try {
    const auto table = toml::parse(text);
    Reader file{table, "", problems};
    file.format(format);
    if (!problems.empty()) return problems;  // of another format everything may be otherwise
    auto provisioning = read(file, code);
    if (problems.empty()) return provisioning;
  } catch (const toml::parse_error& error) {
    problems.push_back({error.source().begin.line, "",
                        wire::to_plain_text(error.description(), wire::text_chars_max)});
  }
  return problems;
}

std::string to_toml(const Provisioning& p) {
  const auto code = wire::EnrolmentCode::parse(p.code);
  return fmt::format(
             "# Makes this card the RDV device {}. Put it on the card's first partition, the one\n"
             "# that every computer shows, as {}, and switch the device on: it does what\n"
             "# stands here, writes rdv-status.txt beside it, and deletes this file.\n"
             "# Whoever has it can become this device as long as the code is good: keep it to "
             "yourself.\n"
             "format = {}\n",
             name_problem(p.name).empty() ? p.name : "?", file_name, format) +
         line("name", p.name) + line("role", p.role) +
         (code ? fmt::format("# one-time code of the server {}\n", code->server) : "") +
         line("code", p.code) + "# who may log in as root by ssh\n" + list("ssh_keys", p.ssh_keys) +
         uplink_toml(p.uplink) + proxy_toml(p.proxy);
}

}  // namespace tunnel::provision
