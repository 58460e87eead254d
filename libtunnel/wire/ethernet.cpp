#include "wire/ethernet.hpp"

#include "base/endian.hpp"
#include "wire/errc.hpp"
#include "wire/vnet_header.hpp"

namespace tunnel::wire {
namespace {

constexpr std::size_t source_at = 6;
constexpr std::size_t tag_bytes = 4;
constexpr std::uint16_t customer_tag = 0x8100;  // IEEE 802.1Q
constexpr std::uint16_t service_tag = 0x88a8;   // IEEE 802.1ad

constexpr std::size_t ipv4_header_bytes_min = 20;
constexpr std::size_t ipv6_header_bytes = 40;
constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination_options = 60;
constexpr int extension_headers_max = 8;  ///< more are nobody's; the rest counts as unknown

std::optional<IpView> read_ipv4(ByteView bytes) {
  if (bytes.size() < ipv4_header_bytes_min) return std::nullopt;
  const auto first = std::to_integer<unsigned>(bytes[0]);
  const auto header_bytes = static_cast<std::size_t>(first & 0xfU) * 4;
  const std::size_t length = load_big_endian<std::uint16_t>(bytes.subspan(2, 2));
  if (first >> 4U != 4 || header_bytes < ipv4_header_bytes_min || header_bytes > length ||
      length > bytes.size())
    return std::nullopt;
  return IpView{.protocol = std::to_integer<std::uint8_t>(bytes[9]),
                .is_fragment = (load_big_endian<std::uint16_t>(bytes.subspan(6, 2)) & 0x3fffU) != 0,
                .header_bytes = header_bytes,
                .packet = bytes.first(length)};
}

/// RFC 8200, 4: the headers that may stand before the transport's.
std::optional<IpView> read_ipv6(ByteView bytes) {
  if (bytes.size() < ipv6_header_bytes || std::to_integer<unsigned>(bytes[0]) >> 4U != 6)
    return std::nullopt;
  const auto length = ipv6_header_bytes + load_big_endian<std::uint16_t>(bytes.subspan(4, 2));
  if (length > bytes.size()) return std::nullopt;
  IpView ip{.is_v6 = true,
            .protocol = std::to_integer<std::uint8_t>(bytes[6]),
            .header_bytes = ipv6_header_bytes,
            .packet = bytes.first(length)};
  for (int i = 0; i < extension_headers_max; ++i) {
    ip.is_fragment = ip.protocol == fragment;
    if (ip.protocol != hop_by_hop && ip.protocol != routing && ip.protocol != destination_options)
      return ip;
    if (ip.packet.size() < ip.header_bytes + 8) return std::nullopt;
    const auto extension = ip.packet.subspan(ip.header_bytes);
    ip.protocol = std::to_integer<std::uint8_t>(extension[0]);
    ip.header_bytes += 8 + std::to_integer<std::size_t>(extension[1]) * 8;
    if (ip.header_bytes > ip.packet.size()) return std::nullopt;
  }
  return ip;
}

/// No longer than a frame on the customer's or the laptop's cable may be.
bool fits_the_cable(std::size_t bytes, const EthernetHeader& header) {
  return bytes <= header.bytes + tunnel_mtu_bytes;
}

/// A super-packet: of the protocol that it claims, no fragment, nothing behind it, and its segments
/// fit the cable.
bool segmentation_fits(const VnetHeader& vnet, const FrameView& view, const IpView& ip) {
  const auto type = vnet.gso_type & ~gso_ecn;
  const bool is_tcp = type == (ip.is_v6 ? gso_tcp6 : gso_tcp4);
  if (!is_tcp && vnet.gso_type != gso_udp_l4) return false;
  const auto& kind = is_tcp ? tcp_segmentation : udp_segmentation;
  const auto transport_at = view.header.bytes + ip.header_bytes;
  return ip.protocol == kind.protocol && !ip.is_fragment &&
         view.header.bytes + ip.packet.size() == view.frame.size() &&
         is_super_packet(vnet, kind, transport_at, view.frame.size()) &&
         fits_the_cable(transport_at + kind.header_bytes_min + vnet.gso_bytes, view.header);
}

/// What the kernel is asked to do with the packet in the frame: fill in a checksum, cut it.
bool work_fits(const VnetHeader& vnet, const FrameView& view) {
  if (vnet.header_bytes > view.frame.size()) return false;
  if (!vnet.needs_csum())
    return vnet.gso_type == gso_none && fits_the_cable(view.frame.size(), view.header);
  const auto ip = read_ip(view.header.ether_type, view.frame.subspan(view.header.bytes));
  if (!ip || vnet.csum_start < view.header.bytes + ip->header_bytes ||
      vnet.csum_start + vnet.csum_offset + 2 > view.frame.size())
    return false;
  return vnet.gso_type == gso_none ? fits_the_cable(view.frame.size(), view.header)
                                   : segmentation_fits(vnet, view, *ip);
}

}  // namespace

std::optional<EthernetHeader> read_ethernet(ByteView frame) {
  EthernetHeader header{.bytes = ethernet_header_bytes};
  while (frame.size() >= header.bytes) {
    header.ether_type = load_big_endian<std::uint16_t>(frame.subspan(header.bytes - 2, 2));
    const bool is_tag = header.ether_type == customer_tag || header.ether_type == service_tag;
    if (!is_tag || header.bytes == ethernet_header_bytes_max) return header;
    header.bytes += tag_bytes;
  }
  return std::nullopt;
}

std::optional<IpView> read_ip(std::uint16_t ether_type, ByteView bytes) {
  if (ether_type == ether_type_ipv4) return read_ipv4(bytes);
  return ether_type == ether_type_ipv6 ? read_ipv6(bytes) : std::nullopt;
}

Result<FrameView> check_frame(ByteView payload) {
  const auto parts = split_payload(payload, ethernet_header_bytes);
  if (!parts) return Errc::bad_packet;
  const auto& [vnet, frame] = *parts;
  const auto header = read_ethernet(frame);
  const bool from_a_group = (frame[source_at] & std::byte{1}) != std::byte{0};  // IEEE 802.3, 3.2.3
  if (!header || from_a_group) return Errc::bad_packet;
  const FrameView view{.header = *header, .frame = frame};
  if (!work_fits(vnet, view)) return Errc::bad_packet;
  return view;
}

}  // namespace tunnel::wire
