#include "firstboot/plan.hpp"

#include "base/bytes.hpp"
#include "base/proxy_url.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace device {
namespace {

constexpr char written_by[] = "# Written by tundev provision at every boot: changes are lost.\n";
constexpr char board_port_path[] = "/etc/systemd/network/20-rdv-board-port.network";
constexpr char uplink_path[] = "/etc/systemd/network/21-rdv-uplink.network";
constexpr char lan_path[] = "/etc/systemd/network/30-rdv-lan.network";
constexpr char laptop_path[] = "/etc/systemd/network/40-rdv-laptop.network";
constexpr char modem_path[] = "/etc/NetworkManager/system-connections/rdv-uplink.nmconnection";
constexpr char modem_only_path[] = "/etc/NetworkManager/conf.d/rdv-uplink.conf";
constexpr char marker_begin[] = "# --- by tundev provision: changes are lost";
constexpr char marker_end[] = "# --- end of tundev provision";
constexpr unsigned secret_mode = 0600;

// udev's ID_PATH (systemd.network(5), Path=) of the Pi 3's own Ethernet, which is USB: behind the
// SoC's controller, at the first port of one hub (3 B) or of two (3 B+). The drivers keep out an
// adapter at the same place of a hub on a board without Ethernet.
constexpr char match_board_usb[] =
    "Path=platform-*.usb-usb-0:1.1:1.0 platform-*.usb-usb-0:1.1.1:1.0\n"
    "Driver=smsc95xx lan78xx\n";
constexpr char match_adapter[] = "Type=ether\nKind=!*\nPath=*-usb-*\nDriver=!smsc95xx lan78xx\n";
constexpr char match_no_usb[] = "Type=ether\nKind=!*\nPath=!*-usb-*\n";
constexpr char match_any[] = "Type=ether\nKind=!*\n";

std::string wpa_path(const Provisioning::Uplink& uplink) {
  return fmt::format("{}/wpa_supplicant-{}.conf", wpa_folder, wifi_interface(uplink));
}

std::string network_text(std::string_view match, const Provisioning::Uplink& uplink) {
  auto text = fmt::format("{}[Match]\n{}\n[Link]\nRequiredForOnline=routable\n\n[Network]\n",
                          written_by, match);
  if (uplink.address.empty()) return text + "DHCP=yes\n";
  text += fmt::format("Address={}\nGateway={}\n", uplink.address, uplink.gateway);
  for (const auto& server : uplink.dns)
    text += fmt::format("DNS={}\n", server);
  return text;
}

/// wpa_supplicant.conf(5). A quoted text ends at the last quote of its line, so nothing is escaped;
/// 64 digits without quotes are the key itself.
std::string wpa_text(const Provisioning::Uplink& uplink) {
  const auto& key = uplink.passphrase;
  const auto secret = key.empty()         ? std::string{"key_mgmt=NONE"}
                      : key.size() == 64U ? fmt::format("key_mgmt=WPA-PSK\n  psk={}", key)
                                          : fmt::format("key_mgmt=WPA-PSK\n  psk=\"{}\"", key);
  return fmt::format("{}country={}\nnetwork={{\n  ssid={}\n  scan_ssid=1\n  {}\n}}\n", written_by,
                     uplink.country, tunnel::to_hex(tunnel::as_bytes(uplink.ssid)), secret);
}

/// nm-settings-keyfile(5): blanks at the beginning of a value are skipped unless they are escaped.
std::string modem_text(const Provisioning::Uplink& uplink) {
  auto text = fmt::format(
      "{}[connection]\nid=rdv-uplink\nuuid=6d2f0f0e-5b8f-4c0e-9a53-726476000001\ntype=gsm\n"
      "autoconnect=true\nautoconnect-retries=0\n{}\n[gsm]\napn={}\n",
      written_by,
      uplink.interface.empty() ? "" : fmt::format("interface-name={}\n", uplink.interface),
      uplink.apn);
  const auto add = [&](const char* key, const std::string& value) {
    if (value.starts_with(' '))
      text += fmt::format("{}=\\s{}\n", key, value.substr(1));
    else if (!value.empty())
      text += fmt::format("{}={}\n", key, value);
  };
  add("username", uplink.user);
  add("password", uplink.password);
  add("pin", uplink.pin);
  return text + "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n";
}

void add_cable(std::vector<PlannedFile>& files, const Provisioning& p) {
  const auto& uplink = p.uplink;
  if (!uplink.interface.empty())
    return files.push_back(
        {uplink_path, network_text(fmt::format("Name={}\n", uplink.interface), uplink)});
  if (p.role != "master") return files.push_back({uplink_path, network_text(match_any, uplink)});
  files.push_back({board_port_path, network_text(match_board_usb, uplink)});
  files.push_back({uplink_path, network_text(match_no_usb, uplink)});
}

/// The LAN of an onsite, whose uplink goes another way: an address, and no default route before the
/// uplink's.
PlannedFile lan_file() {
  return {lan_path, fmt::format("{}[Match]\n{}\n[Link]\nRequiredForOnline=no\n\n"
                                "[Network]\nDHCP=yes\n\n[DHCPv4]\nRouteMetric=2048\n",
                                written_by, match_any)};
}

/// Of a master: an adapter that is not the uplink is tundev-netd's, whatever it is called. It is
/// eth0 on a board without Ethernet, where the system would ask the laptop for an address.
PlannedFile laptop_file() {
  return {laptop_path,
          fmt::format("{}[Match]\n{}\n[Link]\nUnmanaged=yes\n", written_by, match_adapter)};
}

/// TOML's basic string; values that are checked hold no control character.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// The lines of [proxy]: its password goes into a file that only the agent can read.
std::string proxy_lines(const Provisioning::Proxy& proxy) {
  std::string problem;
  const auto url = tunnel::ProxyUrl::parse(proxy.url, problem);
  if (proxy.url.empty() || !url) return {};
  auto lines = fmt::format("url = {}\n", toml_text("http://" + url->address()));
  const auto& user = proxy.user.empty() ? url->user : proxy.user;
  if (!user.empty()) lines += fmt::format("user = {}\n", toml_text(user));
  if (!proxy.password.empty() || !url->password.empty())
    lines += fmt::format("password_file = {}\n", toml_text(proxy_password_path));
  return lines;
}

std::string proxy_password(const Provisioning::Proxy& proxy) {
  std::string problem;
  const auto url = tunnel::ProxyUrl::parse(proxy.url, problem);
  return !proxy.password.empty() || !url ? proxy.password : url->password;
}

/// Without the lines from one marker to the other. With no end in sight only the marker goes:
/// whatever stands behind it may be somebody else's.
std::string without_our_lines(std::string_view text) {
  std::string rest;
  bool ours = false;
  while (!text.empty()) {
    const auto line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    const bool begins = line.starts_with(marker_begin), ends = line.starts_with(marker_end);
    if (!ours && !begins && !ends) rest += line;
    if (begins) ours = text.find(marker_end) != std::string_view::npos;
    if (ends) ours = false;
  }
  return rest;
}

/// Where the line after `section` begins, or npos.
std::size_t behind_section(std::string_view text, std::string_view section) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (text.substr(at, end - at) == section) return std::min(end + 1, text.size());
    at = end + 1;
  }
  return std::string_view::npos;
}

std::string ours(std::string_view lines) {
  return fmt::format("{}\n{}{}\n", marker_begin, lines, marker_end);
}

/// Behind the first line that is `section`, which is added at the end when it is missing.
void insert_lines(std::string& text, std::string_view section, std::string_view lines) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  auto at = behind_section(text, section);
  if (at == std::string::npos) {
    text += fmt::format("{}\n", section);
    at = text.size();
  }
  text.insert(at, ours(lines));
}

}  // namespace

std::string wifi_interface(const Provisioning::Uplink& uplink) {
  return uplink.interface.empty() ? "wlan0" : uplink.interface;
}

std::vector<PlannedFile> planned_files(const Provisioning& p) {
  std::vector<PlannedFile> files{{"/etc/hostname", p.name + "\n"}};
  const auto& uplink = p.uplink;
  if (p.role == "master") files.push_back(laptop_file());
  if (const auto password = proxy_password(p.proxy); !password.empty())
    files.push_back({proxy_password_path, password + "\n", secret_mode});
  if (uplink.kind == "apn") {
    files.push_back({modem_path, modem_text(uplink), secret_mode});
    files.push_back(
        {modem_only_path, std::string{written_by} +
                              "[keyfile]\nunmanaged-devices=*,except:type:gsm,except:type:cdma\n"});
  } else if (uplink.kind == "wifi") {
    files.push_back({wpa_path(uplink), wpa_text(uplink), secret_mode});
    files.push_back(
        {uplink_path, network_text(fmt::format("Name={}\n", wifi_interface(uplink)), uplink)});
  } else {
    add_cable(files, p);
    return files;
  }
  if (p.role == "onsite") files.push_back(lan_file());
  return files;
}

std::vector<std::filesystem::path> files_of_ours() {
  return {board_port_path, uplink_path,     lan_path,           laptop_path,
          modem_path,      modem_only_path, proxy_password_path};
}

bool is_written_by_us(std::string_view text) {
  return text.starts_with(written_by);
}

std::string with_keys(std::string_view authorized_keys, const std::vector<std::string>& keys) {
  const auto others = without_our_lines(authorized_keys);
  return keys.empty() ? others : ours(fmt::format("{}\n", fmt::join(keys, "\n"))) + others;
}

std::string with_settings(std::string_view device_toml, const Provisioning& p) {
  auto text = without_our_lines(device_toml);
  if (const auto lines = proxy_lines(p.proxy); !lines.empty()) insert_lines(text, "[proxy]", lines);
  const bool cable = p.uplink.kind == "dhcp" || p.uplink.kind == "static";
  if (p.role == "master" && cable && !p.uplink.interface.empty())
    insert_lines(text, "[master]", fmt::format("exclude = [{}]\n", toml_text(p.uplink.interface)));
  return text;
}

}  // namespace device
