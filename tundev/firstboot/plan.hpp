#pragma once
#include "provision/provisioning.hpp"

#include <filesystem>
#include <string>
#include <vector>

/// Which files make a system do what a provisioning says. Pure.
namespace device {

using tunnel::provision::Provisioning;

struct PlannedFile {
  std::filesystem::path path;  ///< absolute
  std::string text;
  unsigned mode = 0644;
};

/// The whole files that are ours: the host name, and those of the uplink.
///   dhcp, static  systemd-networkd; of a master only the board's own port, unless another is named
///   wifi          wpa_supplicant@INTERFACE and systemd-networkd
///   apn           NetworkManager, which is told to keep off everything but modems
/// Of a master, systemd-networkd leaves USB adapters alone unless one is named as the uplink.
/// An onsite whose uplink is no cable also asks for an address on every cable, for the customer's
/// LAN.
std::vector<PlannedFile> planned_files(const Provisioning& provisioning);

/// Every path that planned_files() may name, whatever the uplink, but for those in wpa_folder:
/// those not planned go.
std::vector<std::filesystem::path> files_of_ours();

/// Here is a file with a passphrase for each interface that was ever named; an administrator may
/// have files of his own beside them.
inline constexpr char wpa_folder[] = "/etc/wpa_supplicant";

/// Whether planned_files() is where this text is from.
bool is_written_by_us(std::string_view text);

/// The interface of a Wi-Fi uplink.
std::string wifi_interface(const Provisioning::Uplink& uplink);

/// authorized_keys with our keys, between two marker lines, before those of others.
std::string with_keys(std::string_view authorized_keys, const std::vector<std::string>& keys);

/// /etc/rdv/device.toml with the proxy and, for a master whose uplink is a named interface, with
/// that one excluded as the laptop's port.
std::string with_settings(std::string_view device_toml, const Provisioning& provisioning);

inline constexpr char proxy_password_path[] = "/etc/rdv/proxy.password";

}  // namespace device
