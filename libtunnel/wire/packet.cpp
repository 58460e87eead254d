#include "wire/packet.hpp"

#include "base/endian.hpp"
#include "wire/errc.hpp"
#include "wire/vnet_header.hpp"

namespace tunnel::wire {
namespace {

constexpr std::size_t ipv4_header_bytes_min = 20;

/// More fragments follow, or this one is not the first (RFC 791, 3.1).
bool is_fragment(ByteView ip) {
  return (load_big_endian<std::uint16_t>(ip.subspan(6, 2)) & 0x3fffU) != 0;
}

/// The checksum that the kernel is to fill in lies in the transport header, and what it may pull
/// into one piece in the packet (tun_get_user() in drivers/net/tun.c refuses the packet otherwise).
bool checksum_fits(const VnetHeader& vnet, const PacketView& packet) {
  if (vnet.header_bytes > packet.ip.size()) return false;
  return !vnet.needs_csum() || (vnet.csum_start >= packet.header_bytes &&
                                vnet.csum_start + vnet.csum_offset + 2 <= packet.ip.size());
}

/// A super-packet is of the protocol that it claims, and no fragment.
bool segmentation_fits(const VnetHeader& vnet, const PacketView& packet) {
  if (vnet.gso_type == gso_none) return true;
  const bool is_tcp = (vnet.gso_type & ~gso_ecn) == gso_tcp4;
  if (!is_tcp && vnet.gso_type != gso_udp_l4) return false;
  const auto& kind = is_tcp ? tcp_segmentation : udp_segmentation;
  return packet.protocol == kind.protocol && !is_fragment(packet.ip) &&
         is_super_packet(vnet, kind, packet.header_bytes, packet.ip.size());
}

}  // namespace

Result<PacketView> check_packet(ByteView payload) {
  const auto parts = split_payload(payload, ipv4_header_bytes_min);
  if (!parts) return Errc::bad_packet;
  const auto& [vnet, ip] = *parts;
  const auto first = std::to_integer<unsigned>(ip[0]);
  PacketView packet{.source = {load_big_endian<std::uint32_t>(ip.subspan(12, 4))},
                    .destination = {load_big_endian<std::uint32_t>(ip.subspan(16, 4))},
                    .protocol = std::to_integer<std::uint8_t>(ip[9]),
                    .header_bytes = static_cast<std::size_t>(first & 0xfU) * 4,
                    .ip = ip};
  const bool is_ipv4 = first >> 4U == 4 && packet.header_bytes >= ipv4_header_bytes_min &&
                       packet.header_bytes <= ip.size() &&
                       load_big_endian<std::uint16_t>(ip.subspan(2, 2)) == ip.size();
  if (!is_ipv4 || !checksum_fits(vnet, packet) || !segmentation_fits(vnet, packet))
    return Errc::bad_packet;
  return packet;
}

}  // namespace tunnel::wire
