#pragma once
#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "core/internet_checksum.hpp"
#include "wire/limits.hpp"

#include <cstdint>
#include <span>

namespace tunnel::test {

/// A TCP segment with its virtio_net_hdr.
struct Tcp {
  std::uint16_t port = 40000;  ///< the client's; the server's is 22
  std::uint32_t sequence = 1;
  std::size_t text_bytes = 100;
  std::uint16_t segment_bytes = 0;  ///< of a super-packet
  std::uint8_t protocol = 6;
  std::uint32_t source = 0xC0A8C806;       ///< 192.168.200.6, the master's in the tunnel
  std::uint32_t destination = 0xC0A80132;  ///< 192.168.1.50
  std::uint8_t flags = 0x19;               ///< ACK, PSH, FIN
};

/// As a kernel gives it to a TUN: with the sum of the pseudo header in place of the checksum.
inline Bytes tcp_packet(const Tcp& tcp) {
  constexpr auto vnet = wire::vnet_header_bytes;
  constexpr std::size_t headers = 20 + 20;
  Bytes bytes(vnet + headers + tcp.text_bytes);
  bytes[0] = std::byte{1};  // NEEDS_CSUM
  if (tcp.segment_bytes > 0) bytes[1] = std::byte{1};
  const auto little = [&](std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::byte>(value & 0xffU);
    bytes[at + 1] = static_cast<std::byte>(value >> 8U);
  };
  little(2, headers);
  little(4, tcp.segment_bytes);
  little(6, 20);
  little(8, 16);
  const auto ip = std::span{bytes}.subspan(vnet);
  ip[0] = std::byte{0x45};
  store_big_endian<std::uint16_t>(ip.subspan(2), static_cast<std::uint16_t>(ip.size()));
  ip[8] = std::byte{64};
  ip[9] = std::byte{tcp.protocol};
  store_big_endian<std::uint32_t>(ip.subspan(12), tcp.source);
  store_big_endian<std::uint32_t>(ip.subspan(16), tcp.destination);
  store_big_endian<std::uint16_t>(ip.subspan(10), core::internet_checksum(ip.first(20)));
  const auto header = ip.subspan(20);
  store_big_endian<std::uint16_t>(header, tcp.port);
  store_big_endian<std::uint16_t>(header.subspan(2), 22);
  store_big_endian<std::uint32_t>(header.subspan(4), tcp.sequence);
  header[12] = std::byte{0x50};
  header[13] = std::byte{tcp.flags};
  for (std::size_t i = 0; i < tcp.text_bytes; ++i)
    header[20 + i] = static_cast<std::byte>(i);
  return bytes;
}

inline std::uint32_t sequence_of(ByteView packet) {
  return load_big_endian<std::uint32_t>(packet.subspan(wire::vnet_header_bytes + 24));
}
inline std::uint16_t port_of(ByteView packet) {
  return load_big_endian<std::uint16_t>(packet.subspan(wire::vnet_header_bytes + 20));
}

}  // namespace tunnel::test
