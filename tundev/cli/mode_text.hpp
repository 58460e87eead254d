#pragma once
#include <cstdint>
#include <string>
#include <string_view>

/// What masterdev says of the modes. Pure.
namespace device::cli {

/// What joining the customer's LAN means to the laptop.
std::string l2_notice(std::string_view onsite);

/// Decides if the person sits on the laptop's port over ssh, and so is cut off by mode L2.
///
/// @param ssh_connection  $SSH_CONNECTION: the client's address and port, ours, and our port; a
///                        link-local address of IPv6 with the interface, as fe80::1%usb0
/// @param port          name of the laptop's port; "": there is none
/// @param port_address  our own address on it, CIDR; "": there is none
bool sits_on_port(std::string_view ssh_connection, std::string_view port,
                  std::string_view port_address);

/// What he is told.
std::string cut_off_notice();

/// What happens to him, and to whoever switches a running session: the other mode comes back.
/// @param mode  "L3" or "L2": the one to be confirmed
/// @param enter  by pressing Enter here
std::string confirm_notice(std::string_view mode, std::uint64_t seconds, bool enter);

}  // namespace device::cli
