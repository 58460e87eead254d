#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/limits.hpp"

#include <cstdint>
#include <optional>

namespace tunnel::wire {

inline constexpr std::uint16_t ether_type_ipv4 = 0x0800;
inline constexpr std::uint16_t ether_type_ipv6 = 0x86dd;

/// An Ethernet header and the VLAN tags behind it (IEEE 802.1Q): none, one, or two (802.1ad).
struct EthernetHeader {
  std::size_t bytes = 0;         ///< 14, 18 or 22: what it announces begins here
  std::uint16_t ether_type = 0;  ///< behind the tags; below 0x600 a length (802.3)
};

/// @return nothing when `frame` does not hold it whole
std::optional<EthernetHeader> read_ethernet(ByteView frame);

/// An IP packet in an Ethernet frame.
struct IpView {
  bool is_v6 = false;
  std::uint8_t protocol = 0;     ///< behind the extension headers that may precede it
  bool is_fragment = false;      ///< its transport header is elsewhere, or not whole
  std::size_t header_bytes = 0;  ///< with those extension headers
  ByteView packet;               ///< without what pads the frame
};

/// @param ether_type  what the frame says it is
/// @return nothing when it is neither IPv4 nor IPv6, or its lengths do not fit
std::optional<IpView> read_ip(std::uint16_t ether_type, ByteView bytes);

/// An Ethernet frame of a `packet` payload.
struct FrameView {
  EthernetHeader header;
  ByteView frame;  ///< without its virtio_net_hdr
};

/// Checks everything of a `packet` payload in an L2 session that the kernel would otherwise take on
/// trust from the peer: the virtio_net_hdr, which must agree with the Ethernet, VLAN and IP headers
/// behind it, and the length. What the frame says to others is theirs to judge, as on any cable.
///
/// @retval Errc::bad_packet  drop it; a peer that sends many is broken
Result<FrameView> check_frame(ByteView payload);

}  // namespace tunnel::wire
