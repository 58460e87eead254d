#pragma once
#include "firstboot/card.hpp"
#include "firstboot/plan.hpp"

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace device {

/// What the file wants cannot be done here; what() says why and what to do.
struct SettingsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The copy of the file that outlives it, and the system made by it. Everything can be done again
/// from any point at which the power was cut.
class Settings {
 public:
  struct Place {
    std::filesystem::path root = "/";  ///< the system; another folder in tests and in images
    /// Root's own, in the root folder: whoever can write there can log in as root.
    std::filesystem::path state = "/var/lib/rdv-provision";
    std::filesystem::path authorized_keys = "/root/.ssh/authorized_keys";
  };
  explicit Settings(Place place) : place_{std::move(place)} {}

  /// The text that was kept; nothing when there is none, or one that no file can be (the disk lost
  /// it).
  std::optional<std::string> kept() const;
  /// @throws std::system_error when the disk does not take it
  void keep(std::string_view text) const;
  /// Writes all files, each whole, and gives the running system its name.
  /// @throws SettingsError, std::system_error
  void apply(const Provisioning& provisioning) const;

 private:
  std::filesystem::path at(const std::filesystem::path& absolute) const;
  void write(const std::filesystem::path& absolute, std::string_view text, unsigned mode) const;
  void remove_old(const std::vector<PlannedFile>& files) const;
  void require_programs(const Provisioning& provisioning) const;
  void write_device_toml(const Provisioning& provisioning) const;

  Place place_;
};

}  // namespace device
