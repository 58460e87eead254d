#include "core/keep_buffer.hpp"

#include "base/endian.hpp"
#include "core/internet_checksum.hpp"
#include "wire/packet.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::core {
namespace {

constexpr std::uint8_t protocol_tcp = 6;
constexpr std::size_t tcp_header_bytes_min = 20;
constexpr std::size_t tcp_flags_at = 13;
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

constexpr std::size_t in_blocks(std::size_t bytes) {
  constexpr auto block_bytes = FlowQueue::block_bytes;
  return (bytes + block_bytes - 1) / block_bytes * block_bytes;
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
  tcp[tcp_flags_at] &= ~fin_and_push;
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

void KeepBuffer::put(ByteView payload, Sent sent) {
  const auto segment = segment_of(payload);
  if (!segment) return;
  auto& flow = flow_of(segment->flow);
  flow.age = ++puts_;
  if (!append(payload, *segment, flow, sent)) replace(payload, *segment, flow);
}

std::optional<KeepBuffer::Segment> KeepBuffer::segment_of(ByteView payload) {
  const auto packet = wire::check_packet(payload);
  if (!packet) return std::nullopt;
  const auto headers = headers_bytes(*packet);
  if (headers == 0) return std::nullopt;
  Segment segment{.headers_bytes = headers, .ip_header_bytes = packet->header_bytes};
  const auto addresses = packet->ip.subspan(12, 8);
  const auto tcp = packet->ip.subspan(packet->header_bytes);
  std::ranges::copy(tcp.first(4), std::ranges::copy(addresses, segment.flow.begin()).out);
  const auto flags = std::to_integer<unsigned>(tcp[tcp_flags_at]);
  const auto length = packet->ip.size() - headers + (flags & 1U) + (flags >> 1U & 1U);  // FIN, SYN
  segment.end =
      load_big_endian<std::uint32_t>(tcp.subspan(4, 4)) + static_cast<std::uint32_t>(length);
  segment.is_news = length > 0;
  return segment;
}

/// @return false: it says nothing, says it again, or does not fit
bool KeepBuffer::append(ByteView payload, const Segment& segment, Flow& flow, Sent sent) {
  // Sequence numbers wrap: RFC 9293, 3.4.
  const auto beyond = static_cast<std::int32_t>(segment.end - flow.said_until);
  const bool is_new = !flow.has_said || beyond > 0;
  const auto charged_bytes = in_blocks(payload.size());
  if (!segment.is_news || (!is_new && sent.epoch == 0) ||
      backlog_charged_bytes_ + charged_bytes > backlog_bytes_max)
    return false;
  if (is_new) flow.said_until = segment.end;
  flow.has_said = true;
  backlog_charged_bytes_ += charged_bytes;
  backlog_.push_back({Bytes{payload.begin(), payload.end()}, sent});
  return true;
}

void KeepBuffer::replace(ByteView payload, const Segment& segment, Flow& flow) {
  const bool is_super = payload[1] != std::byte{0};
  const auto segment_bytes = load_little_endian16(payload.subspan(4));
  const auto bytes = is_super ? std::min(payload.size(), wire::vnet_header_bytes +
                                                             segment.headers_bytes + segment_bytes)
                              : payload.size();
  if (bytes > packet_bytes_max) return;
  flow.bytes = bytes;
  std::copy_n(payload.begin(), bytes, flow.packet.begin());
  if (is_super)
    become_first_segment(std::span{flow.packet}.first(bytes), segment.ip_header_bytes,
                         segment.headers_bytes);
}

/// Its own place, a new one, or that of the flow that was silent for longest.
KeepBuffer::Flow& KeepBuffer::flow_of(const Name& name) {
  const auto used = std::span{flows_}.first(count_);
  if (const auto own = std::ranges::find(used, name, &Flow::name); own != used.end()) return *own;
  if (count_ < packets_max && count_ == flows_.size()) flows_.emplace_back();
  auto& place =
      count_ < packets_max ? flows_[count_++] : *std::ranges::min_element(used, {}, &Flow::age);
  place.name = name;
  place.has_said = false;
  place.bytes = 0;
  return place;
}

void KeepBuffer::forget_received(Sent until) {
  if (until.epoch == 0) return;
  std::erase_if(backlog_, [&](const Waiting& waiting) {
    if (waiting.sent.epoch != until.epoch || waiting.sent.end > until.end) return false;
    backlog_charged_bytes_ -= in_blocks(waiting.packet.size());
    return true;
  });
}

std::vector<Bytes> KeepBuffer::take() {
  std::vector<Bytes> packets;
  const auto used = std::span{flows_}.first(count_);
  std::ranges::sort(used, {}, &Flow::age);
  for (const auto& flow : used)
    if (flow.bytes > 0)
      packets.emplace_back(flow.packet.begin(),
                           flow.packet.begin() + static_cast<std::ptrdiff_t>(flow.bytes));
  for (auto& waiting : backlog_)
    packets.push_back(std::move(waiting.packet));
  backlog_.clear();
  count_ = 0;
  backlog_charged_bytes_ = 0;
  return packets;
}

std::size_t KeepBuffer::packets() const {
  const auto newest =
      std::count_if(flows_.begin(), flows_.begin() + static_cast<std::ptrdiff_t>(count_),
                    [](const Flow& flow) { return flow.bytes > 0; });
  return backlog_.size() + static_cast<std::size_t>(newest);
}

std::size_t KeepBuffer::bytes() const {
  std::size_t bytes = 0;
  for (const auto& waiting : backlog_)
    bytes += waiting.packet.size();
  for (const auto& flow : std::span{flows_}.first(count_))
    bytes += flow.bytes;
  return bytes;
}

}  // namespace tunnel::core
