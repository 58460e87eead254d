#pragma once
#include "base/bytes.hpp"
#include "wire/limits.hpp"

#include <optional>

/// linux/virtio_net.h, which is no C++ (a member called "class"). The header is little-endian on
/// our wire (TUNSETVNETLE).
namespace tunnel::wire {

inline constexpr unsigned vnet_needs_csum = 1;
inline constexpr unsigned vnet_data_valid = 2;
inline constexpr unsigned gso_none = 0;
inline constexpr unsigned gso_tcp4 = 1;
inline constexpr unsigned gso_tcp6 = 4;
inline constexpr unsigned gso_udp_l4 = 5;
inline constexpr unsigned gso_ecn = 0x80;

/// Offsets count from behind the virtio_net_hdr.
struct VnetHeader {
  unsigned flags, gso_type, header_bytes, gso_bytes, csum_start, csum_offset;

  bool needs_csum() const { return (flags & vnet_needs_csum) != 0; }
  bool has_known_flags() const { return (flags & ~(vnet_needs_csum | vnet_data_valid)) == 0; }
};

inline unsigned load_little_endian16(ByteView in) {
  return std::to_integer<unsigned>(in[0]) | std::to_integer<unsigned>(in[1]) << 8U;
}

/// @param in  at least vnet_header_bytes
inline VnetHeader load_vnet_header(ByteView in) {
  return {std::to_integer<unsigned>(in[0]),       std::to_integer<unsigned>(in[1]),
          load_little_endian16(in.subspan(2, 2)), load_little_endian16(in.subspan(4, 2)),
          load_little_endian16(in.subspan(6, 2)), load_little_endian16(in.subspan(8, 2))};
}

/// A `packet` payload in its two parts.
struct VnetPayload {
  VnetHeader vnet;
  ByteView packet;
};

/// @param packet_bytes_min  of the header that `packet` begins with, whatever it is
/// @return nothing when the payload is shorter, or longer than any may be, or has unknown flags
inline std::optional<VnetPayload> split_payload(ByteView payload, std::size_t packet_bytes_min) {
  if (payload.size() < vnet_header_bytes + packet_bytes_min ||
      payload.size() > packet_payload_bytes_max)
    return std::nullopt;
  const auto vnet = load_vnet_header(payload);
  if (!vnet.has_known_flags()) return std::nullopt;
  return VnetPayload{vnet, payload.subspan(vnet_header_bytes)};
}

/// What a super-packet of one kind must be: whose protocol, where its checksum lies, and into how
/// many segments the kernel cuts it at most.
struct Segmentation {
  std::uint8_t protocol;
  std::size_t header_bytes_min;
  unsigned csum_offset;
  std::size_t segments_max;
};
inline constexpr Segmentation tcp_segmentation{
    .protocol = 6,
    .header_bytes_min = 20,
    .csum_offset = 16,
    .segments_max = 8192};  // 64 KiB in pieces of TCP_MIN_GSO_SIZE (linux/tcp.h)
inline constexpr Segmentation udp_segmentation{
    .protocol = 17,
    .header_bytes_min = 8,
    .csum_offset = 6,
    .segments_max = 128};  // UDP_MAX_SEGMENTS in linux/udp.h

/// A super-packet as virtio_net_hdr_to_skb() (linux/virtio_net.h) wants it: with the protocol's own
/// checksum to fill in, whole headers, and not so many segments that it is an attack on whoever
/// cuts it.
///
/// @param transport_at  where the protocol's header stands  @param bytes  of the whole packet
inline bool is_super_packet(const VnetHeader& vnet, const Segmentation& kind,
                            std::size_t transport_at, std::size_t bytes) {
  const auto headers_min = transport_at + kind.header_bytes_min;
  return vnet.needs_csum() && bytes >= headers_min && vnet.header_bytes >= headers_min &&
         vnet.csum_start == transport_at && vnet.csum_offset == kind.csum_offset &&
         vnet.gso_bytes > 0 && vnet.gso_bytes * kind.segments_max >= bytes - headers_min;
}

}  // namespace tunnel::wire
