#pragma once
#include "base/clock.hpp"
#include "provision/provisioning.hpp"

#include <string>
#include <vector>

namespace device {

/// rdv-status.txt, for the person who looks at the card. Holds no secret. Pure.
struct CardStatus {
  std::string name;  ///< of the device; "": not known
  bool enrolled = false;
  std::vector<std::string> why;  ///< what went wrong, a sentence each
  std::string next;              ///< what to do about it; "": nothing
  std::string done;              ///< summary() of what was set, "": nothing was

  /// @param now  by the device's clock, which may not be set yet
  std::string text(tunnel::UnixSeconds now) const;
};

/// "uplink wifi (Zur Post), 2 ssh keys, proxy proxy.example.com:3128"
std::string summary(const tunnel::provision::Provisioning& provisioning);

}  // namespace device
