#pragma once
#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "wire/limits.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace tunnel::test {

/// A frame with its virtio_net_hdr, around what `packet` carries (which has a virtio_net_hdr, too):
/// its offsets move with the Ethernet header.
struct Frame {
  Bytes packet;
  std::uint16_t ether_type = 0x0800;
  std::vector<std::uint16_t> tags{};  ///< VLAN ids, the outer one first
  std::uint8_t source = 1;            ///< last octet
  std::uint8_t destination = 2;

  Bytes bytes() const {
    constexpr auto vnet = wire::vnet_header_bytes;
    const auto header_bytes = wire::ethernet_header_bytes + 4 * tags.size();
    Bytes out(packet.begin(), packet.begin() + vnet);
    const bool has_work = (packet[0] & std::byte{1}) != std::byte{0};
    for (const std::size_t at : {2, 6}) {
      const auto value = std::to_integer<std::size_t>(packet[at]) +
                         (std::to_integer<std::size_t>(packet[at + 1]) << 8U) +
                         (has_work ? header_bytes : 0);
      out[at] = static_cast<std::byte>(value & 0xffU);
      out[at + 1] = static_cast<std::byte>(value >> 8U);
    }
    const auto put16 = [&](std::uint16_t value) {
      out.push_back(static_cast<std::byte>(value >> 8U));
      out.push_back(static_cast<std::byte>(value & 0xffU));
    };
    for (const auto last : {destination, source})
      for (const std::uint8_t octet : {std::uint8_t{2}, std::uint8_t{0}, std::uint8_t{0},
                                       std::uint8_t{0}, std::uint8_t{0}, last})
        out.push_back(std::byte{octet});
    for (std::size_t i = 0; i < tags.size(); ++i) {
      put16(i + 1 < tags.size() ? 0x88a8 : 0x8100);
      put16(tags[i]);
    }
    put16(ether_type);
    out.insert(out.end(), packet.begin() + vnet, packet.end());
    return out;
  }
};

/// A TCP super-packet over IPv6 with its virtio_net_hdr, as a kernel makes it.
inline Bytes tcp6_packet(std::size_t text_bytes, std::uint16_t segment_bytes = 0,
                         std::uint16_t port = 40000, unsigned ecn = 0) {
  constexpr auto vnet = wire::vnet_header_bytes;
  Bytes bytes(vnet + 40 + 20 + text_bytes);
  bytes[0] = std::byte{1};
  bytes[1] = std::byte{static_cast<std::uint8_t>(segment_bytes > 0 ? 4 : 0)};
  bytes[2] = std::byte{60};
  bytes[4] = static_cast<std::byte>(segment_bytes & 0xff);
  bytes[5] = static_cast<std::byte>(segment_bytes >> 8);
  bytes[6] = std::byte{40};
  bytes[8] = std::byte{16};
  const auto ip = std::span{bytes}.subspan(vnet);
  ip[0] = std::byte{0x60};
  ip[1] = static_cast<std::byte>(ecn << 4U);
  store_big_endian(ip.subspan(4), static_cast<std::uint16_t>(20 + text_bytes));
  ip[6] = std::byte{6};
  ip[7] = std::byte{64};
  ip[8] = ip[24] = std::byte{0xfd};
  ip[23] = std::byte{1};
  ip[39] = std::byte{2};
  const auto tcp = ip.subspan(40);
  store_big_endian(tcp, port);
  store_big_endian<std::uint16_t>(tcp.subspan(2), 22);
  store_big_endian<std::uint32_t>(tcp.subspan(4), 1);
  tcp[12] = std::byte{0x50};
  tcp[13] = std::byte{0x10};
  return bytes;
}

}  // namespace tunnel::test
