#include "core/keep_buffer.hpp"

#include "base/endian.hpp"
#include "core/internet_checksum.hpp"
#include "wire/packet.hpp"

#include <algorithm>

namespace tunnel::core {
namespace {

constexpr std::uint8_t protocol_tcp = 6;
constexpr std::size_t tcp_header_bytes_min = 20;
constexpr std::size_t tcp_checksum_at = 16;
constexpr std::size_t pseudo_header_bytes = 12;
constexpr auto fin_and_push = std::byte{0x09};  ///< RFC 9293, 3.1; they belong to the last segment

void store_little_endian16(std::span<std::byte> out, std::size_t value) {
  out[0] = static_cast<std::byte>(value & 0xffU);
  out[1] = static_cast<std::byte>(value >> 8U & 0xffU);
}

std::size_t load_little_endian16(ByteView in) {
  return std::to_integer<std::size_t>(in[0]) | std::to_integer<std::size_t>(in[1]) << 8U;
}

/// The IP and TCP headers' length; 0 when they are not whole, or no first fragment.
std::size_t headers_bytes(const wire::PacketView& packet) {
  constexpr unsigned fragment_bits = 0x3fff;  // RFC 791, 3.1: more fragments, and the offset
  if (packet.protocol != protocol_tcp ||
      (load_big_endian<std::uint16_t>(packet.ip.subspan(6, 2)) & fragment_bits) != 0 ||
      packet.ip.size() < packet.header_bytes + tcp_header_bytes_min)
    return 0;
  const auto tcp_bytes =
      std::to_integer<std::size_t>(packet.ip[packet.header_bytes + 12] >> 4U) * 4;
  const auto both = packet.header_bytes + tcp_bytes;
  return tcp_bytes < tcp_header_bytes_min || both > packet.ip.size() ? 0 : both;
}

/// Makes a super-packet its own first segment: lengths, flags, and the checksums that depend on
/// them.
///
/// @param payload  virtio_net_hdr and the first `segment_bytes` of the IP packet
void become_first_segment(std::span<std::byte> payload, std::size_t ip_header_bytes,
                          std::size_t headers) {
  const auto vnet = payload.first<wire::vnet_header_bytes>();
  vnet[1] = std::byte{0};  // no segmentation; the checksum stays to be filled in
  store_little_endian16(vnet.subspan(2), headers);
  store_little_endian16(vnet.subspan(4), 0);
  const auto ip = payload.subspan(wire::vnet_header_bytes);
  store_big_endian<std::uint16_t>(ip.subspan(2, 2), static_cast<std::uint16_t>(ip.size()));
  store_big_endian<std::uint16_t>(ip.subspan(10, 2), 0);
  store_big_endian<std::uint16_t>(ip.subspan(10, 2), internet_checksum(ip.first(ip_header_bytes)));
  const auto tcp = ip.subspan(ip_header_bytes);
  tcp[13] &= ~fin_and_push;
  // With NEEDS_CSUM the field holds the sum of the pseudo header (RFC 9293, 3.1), which counts the
  // length.
  std::array<std::byte, pseudo_header_bytes> pseudo{};
  std::copy_n(ip.begin() + 12, 8, pseudo.begin());
  pseudo[9] = std::byte{protocol_tcp};
  store_big_endian<std::uint16_t>(std::span{pseudo}.subspan(10, 2),
                                  static_cast<std::uint16_t>(tcp.size()));
  store_big_endian<std::uint16_t>(tcp.subspan(tcp_checksum_at, 2), internet_sum(pseudo));
}

}  // namespace

void KeepBuffer::put(ByteView payload) {
  const auto packet = wire::check_packet(payload);
  if (!packet) return;
  const auto headers = headers_bytes(*packet);
  if (headers == 0) return;
  const auto segment_bytes = load_little_endian16(payload.subspan(4));
  const bool is_super = payload[1] != std::byte{0};
  const auto ip_bytes =
      is_super ? std::min(packet->ip.size(), headers + segment_bytes) : packet->ip.size();
  const auto bytes = wire::vnet_header_bytes + ip_bytes;
  if (bytes > packet_bytes_max) return;

  Flow flow;
  const auto addresses = packet->ip.subspan(12, 8);
  const auto ports = packet->ip.subspan(packet->header_bytes, 4);
  std::copy(ports.begin(), ports.end(),
            std::copy(addresses.begin(), addresses.end(), flow.begin()));
  auto& kept = place_for(flow);
  kept.flow = flow;
  kept.age = ++puts_;
  kept.bytes = bytes;
  std::copy_n(payload.begin(), bytes, kept.packet.begin());
  if (is_super)
    become_first_segment(std::span{kept.packet}.first(bytes), packet->header_bytes, headers);
}

/// The flow's own place, a new one, or that of the oldest packet.
KeepBuffer::Kept& KeepBuffer::place_for(const Flow& flow) {
  const auto used = std::span{kept_}.first(count_);
  if (const auto own = std::ranges::find(used, flow, &Kept::flow); own != used.end()) return *own;
  if (count_ == packets_max) return *std::ranges::min_element(used, {}, &Kept::age);
  if (count_ == kept_.size()) kept_.emplace_back();
  return kept_[count_++];
}

std::vector<Bytes> KeepBuffer::take() {
  const auto used = std::span{kept_}.first(count_);
  std::ranges::sort(used, {}, &Kept::age);
  std::vector<Bytes> packets;
  for (const auto& kept : used)
    packets.emplace_back(kept.packet.begin(),
                         kept.packet.begin() + static_cast<std::ptrdiff_t>(kept.bytes));
  count_ = 0;
  return packets;
}

std::size_t KeepBuffer::bytes() const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count_; ++i)
    bytes += kept_[i].bytes;
  return bytes;
}

}  // namespace tunnel::core
