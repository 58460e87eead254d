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
/// @param ssh_connection  $SSH_CONNECTION: the client's address and port, ours, and our port
/// @param port_address  our own address on the laptop's port, CIDR; "": there is none
bool sits_on_port(std::string_view ssh_connection, std::string_view port_address);

/// What happens to somebody who does, and to whoever switches a running session.
std::string confirm_notice(std::uint64_t seconds, std::string_view mode_before);

}  // namespace device::cli
