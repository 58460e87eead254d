#include "ctl/sd_file.hpp"

#include "ctl/client.hpp"
#include "wire/enrolment_code.hpp"
#include "wire/limits.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>
#include <utility>

namespace rdv::ctl {

namespace provision = tunnel::provision;
namespace wire = tunnel::wire;

namespace {

/// Where a value of the file came from: its key in a Problem, and the option.
constexpr std::array<std::pair<std::string_view, std::string_view>, 21> options{{
    {"name", "NAME"},
    {"role", "--role"},
    {"ssh_keys", "--ssh-key"},
    {"[uplink] kind", "--uplink"},
    {"[uplink] interface", "--interface"},
    {"[uplink] address", "--address"},
    {"[uplink] gateway", "--gateway"},
    {"[uplink] dns", "--dns"},
    {"[uplink] ssid", "--ssid"},
    {"[uplink] passphrase", "--passphrase-file"},
    {"[uplink] country", "--country"},
    {"[uplink] apn", "--apn"},
    {"[uplink] user", "--apn-user"},
    {"[uplink] password", "--apn-password-file"},
    {"[uplink] pin", "--pin-file"},
    {"[proxy] url", "--proxy"},
    {"[proxy] user", "--proxy-user"},
    {"[proxy] password", "--proxy-password-file"},
    {"code", "the code"},
    {"", "the options together"},
    {"format", "format"},
}};

std::string in_options(const provision::Problems& problems) {
  std::string said;
  for (const auto& problem : problems) {
    const auto option = std::find_if(options.begin(), options.end(),
                                     [&](const auto& o) { return o.first == problem.key; });
    said += fmt::format("{}{} {}", said.empty() ? "" : "; ",
                        option == options.end() ? problem.key : option->second, problem.why);
  }
  return said;
}

/// The lines of a small text file, without their ends and without empty ones.
std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::string text(provision::file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (!in.is_open() || in.bad())
    throw ClientError{fmt::format("{} cannot be read", path), "check that it exists and is yours"};
  if (text.size() > provision::file_bytes_max)
    throw ClientError{fmt::format("{} is larger than {} bytes", path, provision::file_bytes_max),
                      ""};
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

/// The one line of a file that holds a secret; "" when no file is named.
std::string secret_in(const std::string& path) {
  if (path.empty()) return {};
  const auto lines = lines_of(path);
  if (lines.size() != 1)
    throw ClientError{fmt::format("{} must hold one line, the secret, and nothing else", path), ""};
  return lines.front();
}

}  // namespace

void SdFile::add_options(CLI::App& command) {
  auto& uplink = provisioning_.uplink;
  auto& proxy = provisioning_.proxy;
  auto* file = command.add_option("--sd-file", path_,
                                  "Write the file that makes an SD card this device: copy it to "
                                  "the card's first partition as rdv-provision.toml");
  const auto add = [&](const char* option, auto& value, const char* type, const char* help) {
    return command.add_option(option, value, help)->type_name(type)->needs(file);
  };
  file->type_name("FILE");
  add("--ssh-key", ssh_key_files_, "FILE", "A .pub file of who may log in as root; repeatable")
      ->allow_extra_args(false);
  add("--uplink", uplink.kind, "KIND", "Its way to the Internet: dhcp, static, wifi or apn [dhcp]");
  add("--interface", uplink.interface, "NAME", "By this interface; else the board's own");
  add("--address", uplink.address, "ADDRESS", "Its address and prefix, e.g. 192.168.1.10/24");
  add("--gateway", uplink.gateway, "ADDRESS", "The router");
  add("--dns", uplink.dns, "ADDRESS", "A DNS server; repeatable")->allow_extra_args(false);
  add("--ssid", uplink.ssid, "NAME", "The Wi-Fi");
  add("--passphrase-file", passphrase_file_, "FILE", "One line: its passphrase. Without: open");
  add("--country", uplink.country, "CC", "Where the Wi-Fi is, e.g. FR");
  add("--apn", uplink.apn, "NAME", "The mobile operator's access point");
  add("--apn-user", uplink.user, "NAME", "The user there, if it wants one");
  add("--apn-password-file", apn_password_file_, "FILE", "One line: the password there");
  add("--pin-file", pin_file_, "FILE", "One line: the PIN of the SIM card");
  add("--proxy", proxy.url, "URL", "The HTTP proxy on the way, e.g. http://proxy.example.com:3128");
  add("--proxy-user", proxy.user, "NAME", "The user there");
  add("--proxy-password-file", proxy_password_file_, "FILE", "One line: the password there");
}

void SdFile::read_files() {
  for (const auto& path : ssh_key_files_)
    for (auto& line : lines_of(path))
      if (!line.starts_with('#')) provisioning_.ssh_keys.push_back(std::move(line));
  provisioning_.uplink.passphrase = secret_in(passphrase_file_);
  provisioning_.uplink.password = secret_in(apn_password_file_);
  provisioning_.uplink.pin = secret_in(pin_file_);
  provisioning_.proxy.password = secret_in(proxy_password_file_);
}

void SdFile::prepare(const std::string& name, const std::string& role) {
  if (!wanted()) return;
  read_files();
  provisioning_.name = name;
  provisioning_.role = role;
  // The longest code there can be: what passes now passes with the real one.
  constexpr std::string_view port = ":443";
  provisioning_.code = wire::EnrolmentCode{
      .server = std::string(wire::address_chars_max - port.size(), 'x') +
                std::string{
                    port}}.str();
  const auto text = provision::to_toml(provisioning_);
  const auto checked = provision::check(text);
  if (const auto* problems = std::get_if<provision::Problems>(&checked))
    throw ClientError{in_options(*problems), "nothing was changed; see: rdvctl device add --help"};
  try {
    file_ = std::make_unique<ReservedFile>(path_, text.size());
  } catch (const std::system_error& error) {
    const bool exists = error.code() == std::errc::file_exists;
    throw ClientError{exists ? path_ + " exists already" : std::string{error.what()},
                      exists ? "nothing was changed; name another file, or remove that one first"
                             : "nothing was changed; name a place where you may write"};
  }
}

void SdFile::write(const std::string& code) {
  if (!wanted()) return;
  provisioning_.code = code;
  try {
    file_->write(provision::to_toml(provisioning_));
  } catch (const std::system_error& error) {
    throw ClientError{error.what(),
                      fmt::format("the code above is good; write the file with a new one: rdvctl "
                                  "device code {} --sd-file FILE",
                                  provisioning_.name)};
  }
}

}  // namespace rdv::ctl
