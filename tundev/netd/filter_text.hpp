#pragma once
#include "netd/session_setup.hpp"

#include <string>
#include <vector>

/// The session's own nft table, as text for net::NftTable: what it permits gets the guard's mark
/// (net/guard_table.hpp), everything else that touches the tunnel meets the guard. Pure.
namespace device {

/// Name of the table; family ip.
inline constexpr const char* session_table = "rdv_session";

/// Name of the table that answers the laptop while no session runs; family ip.
inline constexpr const char* port_table = "rdv_port";

/// A master without a session: whatever the laptop sends beyond us is answered with ICMP "host
/// unreachable". The dead end in its routing table would do the same, but not for long: there the
/// kernel takes two of one allowance per answer (ip_error() and icmp_send(), Linux 6.1), so that
/// after five answers a sender of one packet per second never gets another.
/// @param verdict  in nft's words
std::string no_way_filter(const std::string& port, const tunnel::Ipv4Prefix& laptop,
                          const std::string& verdict);

/// A master: the laptop may go into the tunnel and gets its answers; nobody else may, nor may the
/// customer's LAN begin anything. The laptop is masqueraded by our end of the tunnel.
///
/// @param port    the laptop's port
/// @param laptop  the network on that port
/// @param tunnel  name of the TUN device
std::string master_filter(const std::string& port, const tunnel::Ipv4Prefix& laptop,
                          const std::string& tunnel);

/// An onsite: the master's end of the tunnel may reach what `setup.allow` says, through `lan` or on
/// this machine itself, by `own` (its addresses on the LAN) or our end of the tunnel. Our end
/// counts as another name of the first of `own`: it is open as far as that one is granted, and
/// answers echo requests in any case, by which the master proves the path. What is not permitted is
/// answered with ICMP "administratively prohibited", 50 times a second at most.
///
/// Never: `setup.deny`, loopback, link-local, multicast, reserved addresses, or anything that
/// begins in the LAN.
std::string onsite_filter(const SessionSetup& setup, const std::string& lan,
                          const std::vector<tunnel::Ipv4Address>& own, const std::string& tunnel);

}  // namespace device
