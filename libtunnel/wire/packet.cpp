#include "wire/packet.hpp"

#include "base/endian.hpp"
#include "wire/errc.hpp"

namespace tunnel::wire {
namespace {

// linux/virtio_net.h; the header is little-endian on our wire (TUNSETVNETLE).
constexpr unsigned flag_needs_csum = 1;
constexpr unsigned flag_data_valid = 2;
constexpr unsigned gso_none = 0;
constexpr unsigned gso_tcp4 = 1;
constexpr unsigned gso_udp_l4 = 5;
constexpr unsigned gso_ecn = 0x80;

constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::size_t ipv4_header_bytes_min = 20;
constexpr std::size_t tcp_header_bytes_min = 20;
constexpr std::size_t udp_header_bytes = 8;
constexpr unsigned tcp_checksum_offset = 16;
constexpr unsigned udp_checksum_offset = 6;
constexpr std::size_t tcp_segments_max =
    8192;                                      // 64 KiB in pieces of TCP_MIN_GSO_SIZE (linux/tcp.h)
constexpr std::size_t udp_segments_max = 128;  // UDP_MAX_SEGMENTS in linux/udp.h

struct VnetHeader {
  unsigned flags, gso_type, header_bytes, gso_bytes, csum_start, csum_offset;
};

unsigned load_little_endian16(ByteView in) {
  return std::to_integer<unsigned>(in[0]) | std::to_integer<unsigned>(in[1]) << 8U;
}

/// More fragments follow, or this one is not the first (RFC 791, 3.1).
bool is_fragment(ByteView ip) {
  return (load_big_endian<std::uint16_t>(ip.subspan(6, 2)) & 0x3fffU) != 0;
}

VnetHeader load_vnet_header(ByteView in) {
  return {std::to_integer<unsigned>(in[0]),       std::to_integer<unsigned>(in[1]),
          load_little_endian16(in.subspan(2, 2)), load_little_endian16(in.subspan(4, 2)),
          load_little_endian16(in.subspan(6, 2)), load_little_endian16(in.subspan(8, 2))};
}

/// The checksum that the kernel is to fill in lies in the transport header, and what it may pull
/// into one piece in the packet (tun_get_user() in drivers/net/tun.c refuses the packet otherwise).
bool checksum_fits(const VnetHeader& vnet, const PacketView& packet) {
  if (vnet.header_bytes > packet.ip.size()) return false;
  if ((vnet.flags & flag_needs_csum) == 0) return true;
  return vnet.csum_start >= packet.header_bytes &&
         vnet.csum_start + vnet.csum_offset + 2 <= packet.ip.size();
}

/// A super-packet as virtio_net_hdr_to_skb() (linux/virtio_net.h) wants it: of the protocol it
/// claims, no fragment, with the protocol's own checksum to fill in, whole headers, and not so many
/// segments that it is an attack on whoever cuts it.
bool segmentation_fits(const VnetHeader& vnet, const PacketView& packet) {
  if (vnet.gso_type == gso_none) return true;
  const unsigned type = vnet.gso_type & ~gso_ecn;
  const bool tcp = type == gso_tcp4 && packet.protocol == protocol_tcp;
  const bool udp =
      type == gso_udp_l4 && packet.protocol == protocol_udp && (vnet.gso_type & gso_ecn) == 0;
  if ((!tcp && !udp) || is_fragment(packet.ip) || (vnet.flags & flag_needs_csum) == 0) return false;
  const auto headers_min = packet.header_bytes + (tcp ? tcp_header_bytes_min : udp_header_bytes);
  if (packet.ip.size() < headers_min || vnet.header_bytes < headers_min) return false;
  const bool own_checksum = vnet.csum_start == packet.header_bytes &&
                            vnet.csum_offset == (tcp ? tcp_checksum_offset : udp_checksum_offset);
  const auto segments_max = tcp ? tcp_segments_max : udp_segments_max;
  return own_checksum && vnet.gso_bytes > 0 &&
         vnet.gso_bytes * segments_max >= packet.ip.size() - headers_min;
}

}  // namespace

Result<PacketView> check_packet(ByteView payload) {
  if (payload.size() < vnet_header_bytes + ipv4_header_bytes_min ||
      payload.size() > packet_payload_bytes_max)
    return Errc::bad_packet;
  const auto vnet = load_vnet_header(payload);
  const auto ip = payload.subspan(vnet_header_bytes);
  const auto first = std::to_integer<unsigned>(ip[0]);
  PacketView packet{.source = {load_big_endian<std::uint32_t>(ip.subspan(12, 4))},
                    .destination = {load_big_endian<std::uint32_t>(ip.subspan(16, 4))},
                    .protocol = std::to_integer<std::uint8_t>(ip[9]),
                    .header_bytes = static_cast<std::size_t>(first & 0xfU) * 4,
                    .ip = ip};
  const bool is_ipv4 = first >> 4U == 4 && packet.header_bytes >= ipv4_header_bytes_min &&
                       packet.header_bytes <= ip.size() &&
                       load_big_endian<std::uint16_t>(ip.subspan(2, 2)) == ip.size();
  const bool flags_known = (vnet.flags & ~(flag_needs_csum | flag_data_valid)) == 0;
  if (!is_ipv4 || !flags_known || !checksum_fits(vnet, packet) || !segmentation_fits(vnet, packet))
    return Errc::bad_packet;
  return packet;
}

}  // namespace tunnel::wire
