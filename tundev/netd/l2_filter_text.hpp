#pragma once
#include "base/ipv4.hpp"

#include <string>

/// The table that joins two links in an L2 session, as text for net::NftTable: family netdev, name
/// session_table (filter_text.hpp). Pure.
///
/// There is no bridge device: both links keep what they have, addresses and routes too, and the
/// table alone carries frames from one to the other. It learns addresses as a bridge does: `near`
/// is who was heard at the port, `far` who came out of the tunnel.
///
///   port ingress ──▶ not a loop? ──▶ learn near ──▶ may pass? ──▶ tunnel
///   tunnel ingress ─▶ not a loop? ──▶ may pass? ──▶ learn far ──▶ port (onsite: or its own host)
///
/// A loop shows by an address on both sides: the laptop's port and the customer's LAN are then
/// joined elsewhere, too. Frames of that address do not cross, in either direction, for
/// `looped_seconds` after each sign of it; on the onsite the customer's LAN keeps the address. A
/// frame that circles in one direction alone gives no such sign before its sender speaks again:
/// their number is limited (`multicast_per_second_max`).
namespace device {

/// Stations at the laptop's port; frames of further ones do not cross.
inline constexpr int laptop_stations_max = 32;
/// Addresses of the customer's LAN that are remembered; further ones cross, and no loop is seen by
/// them.
inline constexpr int lan_stations_max = 4096;
/// A station at the laptop's port that is silent for so long gets broadcasts only.
inline constexpr int laptop_station_minutes = 30;
inline constexpr int lan_station_minutes = 5;
inline constexpr int looped_seconds = 10;
/// Broadcasts and multicast of one station. What comes from the laptop's side beyond that circles:
/// a sign of a loop. What comes from the customer's LAN beyond that stays there, for it may be
/// video.
inline constexpr int multicast_per_second_max = 300;
/// So many of them at once are none yet from the laptop's side: an engineer's tool asks for every
/// address of a /21.
inline constexpr int scan_packets_max = 2048;

/// The customer's side. Its own frames go into the tunnel like those of the LAN; what the tunnel
/// brings for this host comes in by `port` (net::IngressRedirect from `tap` to `port`).
///
/// @param port  the customer's LAN port
/// @param mac   its address
/// @param tap   name of the TAP device
std::string l2_onsite_filter(const std::string& port, const std::string& mac,
                             const std::string& tap);

/// The laptop's side. This host takes no part: it sends nothing into the tunnel and hears nothing
/// of it. The laptop reaches it by its address on the port, and by nothing else.
///
/// @param port  the laptop's port
/// @param mac   its address
/// @param own   this host's address on the port
/// @param tap   name of the TAP device
std::string l2_master_filter(const std::string& port, const std::string& mac,
                             tunnel::Ipv4Address own, const std::string& tap);

}  // namespace device
