#pragma once
#include "cli/console.hpp"
#include "cli/device_bus.hpp"
#include "cli/session_view.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// What masterdev does besides listing; masterdev.cpp has the command line.
namespace device::cli {

/// The command line, as it was checked.
struct MasterdevArguments {
  bool list = false;
  std::string onsite;
  std::string mode;
  bool confirm = false;
  std::uint32_t seconds = 0;
  bool debug = false;
  bool tls = false;
  std::string device, server;
  bool json = false;
};

/// @param what  is attempted, for a person
/// @return how to exit, having said why; nothing when this device can serve as the master that the
/// command line means
std::optional<int> check_device(Console& console, DeviceBus& bus,
                                const MasterdevArguments& arguments, const std::string& what);

/// Shows what a view says. @return how the command ends, or nothing: it goes on
std::optional<int> say(Console& console, const SessionView::Answer& answer);

/// Opens a session and holds it until it ends. @return how to exit
/// @throws BusError, Stopped
int hold_session(Console& console, const MasterdevArguments& arguments, const std::string& what);

/// Switches the mode of the session that another masterdev holds, and asks whether it stays.
/// @return how to exit  @throws BusError, Stopped
int switch_session(Console& console, const MasterdevArguments& arguments, const std::string& what);

}  // namespace device::cli
