#include "core/echo_probe.hpp"

#include "base/endian.hpp"
#include "core/internet_checksum.hpp"

#include <algorithm>

namespace tunnel::core {
namespace {

constexpr std::size_t ip_header_bytes = 20;
constexpr std::size_t icmp_header_bytes = 8;
constexpr std::uint8_t protocol_icmp = 1;
constexpr std::uint8_t echo_request = 8;
constexpr std::uint8_t echo_reply = 0;

}  // namespace

EchoProbe::Payload EchoProbe::request(std::uint16_t sequence) const {
  Payload payload{};
  const auto ip = std::span{payload}.subspan(wire::vnet_header_bytes);
  ip[0] = std::byte{0x45};
  store_big_endian<std::uint16_t>(ip.subspan(2, 2), static_cast<std::uint16_t>(ip.size()));
  store_big_endian<std::uint16_t>(ip.subspan(4, 2), sequence);
  ip[8] = std::byte{64};
  ip[9] = std::byte{protocol_icmp};
  store_big_endian<std::uint32_t>(ip.subspan(12, 4), from_.value);
  store_big_endian<std::uint32_t>(ip.subspan(16, 4), to_.value);
  store_big_endian<std::uint16_t>(ip.subspan(10, 2), internet_checksum(ip.first(ip_header_bytes)));
  const auto icmp = ip.subspan(ip_header_bytes);
  icmp[0] = std::byte{echo_request};
  store_big_endian<std::uint16_t>(icmp.subspan(4, 2), static_cast<std::uint16_t>(token_ & 0xffffU));
  store_big_endian<std::uint16_t>(icmp.subspan(6, 2), sequence);
  store_big_endian<std::uint64_t>(icmp.subspan(icmp_header_bytes, 8), token_);
  store_big_endian<std::uint16_t>(icmp.subspan(2, 2), internet_checksum(icmp));
  return payload;
}

bool EchoProbe::is_answer(const wire::PacketView& packet) const {
  if (packet.protocol != protocol_icmp || packet.source != to_ || packet.destination != from_)
    return false;
  const auto icmp = packet.ip.subspan(packet.header_bytes);
  return icmp.size() == icmp_header_bytes + 8 && icmp[0] == std::byte{echo_reply} &&
         load_big_endian<std::uint16_t>(icmp.subspan(4, 2)) == (token_ & 0xffffU) &&
         load_big_endian<std::uint64_t>(icmp.subspan(icmp_header_bytes, 8)) == token_;
}

}  // namespace tunnel::core
