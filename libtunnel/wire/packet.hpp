#pragma once
#include "base/bytes.hpp"
#include "base/ipv4.hpp"
#include "base/result.hpp"
#include "wire/limits.hpp"

namespace tunnel::wire {

/// The first facts of an IPv4 packet in a `packet` frame.
struct PacketView {
  Ipv4Address source, destination;
  std::uint8_t protocol = 0;
  std::size_t header_bytes = 0;  ///< of the IP header
  ByteView ip;                   ///< the packet without its virtio_net_hdr
};

/// Checks everything of a `packet` payload that the kernel would otherwise take on trust from the
/// peer: the virtio_net_hdr (linux/virtio_net.h, little-endian, 10 bytes) and the IPv4 header's
/// lengths.
///
/// @retval Errc::bad_packet  drop it; a peer that sends many is broken
Result<PacketView> check_packet(ByteView payload);

}  // namespace tunnel::wire
