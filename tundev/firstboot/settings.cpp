#include "firstboot/settings.hpp"

#include "base/files.hpp"
#include "config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <pwd.h>
#include <unistd.h>

namespace device {
namespace {

namespace fs = std::filesystem;

constexpr char device_toml[] = "/etc/rdv/device.toml";
constexpr char kept_name[] = "provision.toml";

std::string text_of(const fs::path& file) {
  return fs::exists(file) ? tunnel::read_file(file) : std::string{};
}

}  // namespace

fs::path Settings::at(const fs::path& absolute) const {
  return place_.root / absolute.relative_path();
}

/// What stands there already is not written again: the card lives longer.
void Settings::write(const fs::path& absolute, std::string_view text, unsigned mode) const {
  const auto path = at(absolute);
  std::error_code ec;
  const auto wanted = static_cast<fs::perms>(mode);
  if (fs::is_regular_file(path, ec) && fs::status(path, ec).permissions() == wanted &&
      tunnel::read_file(path) == text)
    return;
  if (!fs::exists(path.parent_path())) {
    fs::create_directories(path.parent_path());
    if ((mode & 0077U) == 0) fs::permissions(path.parent_path(), fs::perms{0700});
  }
  tunnel::write_file_durably(path, text, mode);
}

std::optional<std::string> Settings::kept() const {
  const auto text = text_of(at(place_.state / kept_name));
  return text.empty() ? std::nullopt : std::optional{text};
}

void Settings::keep(std::string_view text) const {
  fs::create_directories(at(place_.state));
  fs::permissions(at(place_.state), fs::perms{0700});
  write(place_.state / kept_name, text, 0600);
}

void Settings::require_programs(const Provisioning& p) const {
  const auto need = [&](const char* program, const char* packages) {
    if (!fs::exists(at(program)))
      throw SettingsError{
          fmt::format("the uplink \"{}\" needs {}, which this system does not have: "
                      "install {}",
                      p.uplink.kind, program, packages)};
  };
  if (p.uplink.kind == "wifi") return need("/usr/sbin/wpa_supplicant", "wpasupplicant");
  if (p.uplink.kind != "apn") return;
  need("/usr/sbin/NetworkManager", "network-manager");
  need("/usr/sbin/ModemManager", "modemmanager");
}

void Settings::write_device_toml(const Provisioning& p) const {
  const auto before = text_of(at(device_toml));
  const auto text = with_settings(before, p);
  try {
    (void)parse_config(text, device_toml);
  } catch (const ConfigError& error) {
    throw SettingsError{
        fmt::format("{}; take out what stands there for the proxy ([proxy]) or the "
                    "laptop's port ([master] exclude)",
                    error.what())};
  }
  if (text != before) write(device_toml, text, 0644);
}

/// What an earlier file of the card had made, its secrets with it.
void Settings::remove_old(const std::vector<PlannedFile>& files) const {
  auto old = files_of_ours();
  if (fs::exists(at(wpa_folder)))
    for (const auto& entry : fs::directory_iterator{at(wpa_folder)})
      if (entry.is_regular_file() && is_written_by_us(tunnel::read_file(entry.path())))
        old.push_back(wpa_folder / entry.path().filename());
  for (const auto& path : old)
    if (std::ranges::find(files, path, &PlannedFile::path) == files.end()) fs::remove(at(path));
}

void Settings::apply(const Provisioning& p) const {
  require_programs(p);
  const auto files = planned_files(p);
  remove_old(files);
  for (const auto& file : files)
    write(file.path, file.text, file.mode);
  const auto keys = text_of(at(place_.authorized_keys));
  if (const auto text = with_keys(keys, p.ssh_keys); text != keys)
    write(place_.authorized_keys, text, 0600);
  write_device_toml(p);
  if (place_.root != "/") return;
  if (::sethostname(p.name.data(), p.name.size()) != 0)
    throw std::system_error{errno, std::generic_category(), "set the host name"};
  const auto* agent = ::getpwnam("rdv-tundev");
  const bool has_password = fs::exists(proxy_password_path);
  if (agent == nullptr || !has_password) return;
  if (::chown(proxy_password_path, agent->pw_uid, agent->pw_gid) != 0)
    throw std::system_error{errno, std::generic_category(),
                            fmt::format("give {} to rdv-tundev", proxy_password_path)};
}

}  // namespace device
