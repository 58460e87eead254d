#pragma once
#include "cli/console.hpp"
#include "firstboot/enrolling.hpp"
#include "firstboot/settings.hpp"
#include "firstboot/status.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace device::cli {

class DeviceBus;

/// `tundev provision`: makes a device of a system and the file on its card. Two steps, for the
/// first must be over before the network is set up, and the second needs it. Both can be done again
/// from any point at which the power was cut:
///
///   file on the card --good--> kept in the state folder --> system's files --> enrolled
///      --> kept without the code --> file on the card destroyed
class Provision {
 public:
  struct Options {
    std::filesystem::path file = "/boot/firmware/rdv-provision.toml";
    std::filesystem::path status;
    Settings::Place place;
  };
  Provision(Console& console, const Options& options);

  /// Takes over a new file, and sets the system up as the newest good one says.
  /// @return the exit code; what went wrong is said, and stands in the status on the card
  int settings();
  /// Enrols with the code that was kept, if there is one; waits for the network for ever.
  /// @return as settings(); also done when a stop signal ended it
  int enroll();

 private:
  std::optional<std::string> read_card();
  bool take_over(const std::optional<std::string>& on_card);
  int apply_kept(bool fresh);
  std::optional<tunnel::provision::Provisioning> kept_provisioning();
  std::optional<Enrolling::Next> try_once(int stop_fd, Enrolling& enrolling);
  int finish();
  int give_up();
  void report(const CardStatus& status);
  void report_trouble();
  bool is_ours(const std::optional<std::string>& on_card) const;

  Console& console_;
  Card card_;
  Settings settings_;
  bool is_running_system_;
  bool card_is_damaged_ = false;
  tunnel::provision::Provisioning provisioning_;
  std::string why_;       ///< why the last try failed
  std::string reported_;  ///< what the card says of that
  int tries_ = 0;
};

}  // namespace device::cli
