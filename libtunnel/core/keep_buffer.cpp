#include "core/keep_buffer.hpp"

#include "base/endian.hpp"
#include "core/internet_checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/packet.hpp"
#include "wire/vnet_header.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::core {
namespace {

constexpr std::uint8_t protocol_tcp = 6;
constexpr std::size_t tcp_header_bytes_min = 20;
constexpr std::size_t tcp_flags_at = 13;
constexpr std::size_t tcp_checksum_at = 16;
constexpr std::size_t pseudo_header_bytes_max = 40;
constexpr auto fin_and_push = std::byte{0x09};  ///< RFC 9293, 3.1; they belong to the last segment

void store_little_endian16(std::span<std::byte> out, std::size_t value) {
  out[0] = static_cast<std::byte>(value & 0xffU);
  out[1] = static_cast<std::byte>(value >> 8U & 0xffU);
}

constexpr std::size_t in_blocks(std::size_t bytes) {
  constexpr auto block_bytes = FlowQueue::block_bytes;
  return (bytes + block_bytes - 1) / block_bytes * block_bytes;
}

/// The IP packet of a payload that the kernel can take on trust, and where it stands.
struct Found {
  wire::IpView ip;
  std::size_t at;
};
std::optional<Found> find_ip(ByteView payload, wire::Mode mode) {
  if (mode == wire::Mode::l3) {
    const auto packet = wire::check_packet(payload);
    if (!packet) return std::nullopt;
    const auto ip = wire::read_ip(wire::ether_type_ipv4, packet->ip);
    return ip ? std::optional{Found{*ip, wire::vnet_header_bytes}} : std::nullopt;
  }
  const auto frame = wire::check_frame(payload);
  if (!frame) return std::nullopt;
  const auto ip =
      wire::read_ip(frame->header.ether_type, frame->frame.subspan(frame->header.bytes));
  return ip ? std::optional{Found{*ip, wire::vnet_header_bytes + frame->header.bytes}}
            : std::nullopt;
}

/// Where the text of a TCP segment begins in its IP packet; 0 when its headers are not whole, or it
/// is none.
std::size_t text_at(const wire::IpView& ip) {
  if (ip.protocol != protocol_tcp || ip.is_fragment ||
      ip.packet.size() < ip.header_bytes + tcp_header_bytes_min)
    return 0;
  const auto tcp_bytes = std::to_integer<std::size_t>(ip.packet[ip.header_bytes + 12] >> 4U) * 4;
  const auto both = ip.header_bytes + tcp_bytes;
  return tcp_bytes < tcp_header_bytes_min || both > ip.packet.size() ? 0 : both;
}

ByteView addresses_of(ByteView ip, bool is_v6) {
  return is_v6 ? ip.subspan(8, 32) : ip.subspan(12, 8);
}

}  // namespace

/// With NEEDS_CSUM the checksum's field holds the sum of the pseudo header (RFC 9293, 3.1; RFC
/// 8200, 8.1), which counts the length.
void KeepBuffer::become_first_segment(std::span<std::byte> payload, const Segment& segment) {
  const auto vnet = payload.first<wire::vnet_header_bytes>();
  vnet[1] = std::byte{0};  // no segmentation; the checksum stays to be filled in
  store_little_endian16(vnet.subspan(2), segment.text_at - wire::vnet_header_bytes);
  store_little_endian16(vnet.subspan(4), 0);
  const auto ip = payload.subspan(segment.ip_at);
  const auto tcp = payload.subspan(segment.tcp_at);
  if (segment.is_v6) {
    store_big_endian(ip.subspan(4, 2), static_cast<std::uint16_t>(ip.size() - 40));
  } else {
    store_big_endian(ip.subspan(2, 2), static_cast<std::uint16_t>(ip.size()));
    store_big_endian<std::uint16_t>(ip.subspan(10, 2), 0);
    store_big_endian(ip.subspan(10, 2),
                     internet_checksum(ip.first(segment.tcp_at - segment.ip_at)));
  }
  tcp[tcp_flags_at] &= ~fin_and_push;
  std::array<std::byte, pseudo_header_bytes_max> pseudo{};
  std::ranges::copy(addresses_of(ip, segment.is_v6), pseudo.begin());
  // Zeros between count nothing: both protocols' pseudo headers have the same sum as this one.
  pseudo[33] = std::byte{protocol_tcp};
  store_big_endian(std::span{pseudo}.subspan(34, 2), static_cast<std::uint16_t>(tcp.size()));
  store_big_endian(tcp.subspan(tcp_checksum_at, 2), internet_sum(pseudo));
}

void KeepBuffer::put(ByteView payload, Sent sent) {
  const auto segment = segment_of(payload);
  if (!segment) return;
  auto& flow = flow_of(segment->flow);
  flow.age = ++puts_;
  if (!append(payload, *segment, flow, sent)) replace(payload, *segment, flow);
}

std::optional<KeepBuffer::Segment> KeepBuffer::segment_of(ByteView payload) const {
  const auto found = find_ip(payload, mode_);
  if (!found) return std::nullopt;
  const auto& ip = found->ip;
  const auto headers_bytes = text_at(ip);
  if (headers_bytes == 0) return std::nullopt;
  Segment segment{.ip_at = found->at,
                  .tcp_at = found->at + ip.header_bytes,
                  .text_at = found->at + headers_bytes,
                  .is_v6 = ip.is_v6};
  const auto tcp = ip.packet.subspan(ip.header_bytes);
  constexpr auto tags_at = wire::vnet_header_bytes + wire::ethernet_header_bytes - 2;
  const auto tags =
      mode_ == wire::Mode::l3 ? ByteView{} : payload.subspan(tags_at, found->at - 2 - tags_at);
  std::ranges::copy(addresses_of(ip.packet, ip.is_v6), segment.flow.begin());
  std::ranges::copy(tcp.first(4), segment.flow.begin() + 32);
  std::ranges::copy(tags, segment.flow.begin() + 36);
  const auto flags = std::to_integer<unsigned>(tcp[tcp_flags_at]);
  const auto length =
      ip.packet.size() - headers_bytes + (flags & 1U) + (flags >> 1U & 1U);  // FIN, SYN
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
  const auto vnet = wire::load_vnet_header(payload);
  const bool is_super = vnet.gso_type != wire::gso_none;
  const auto bytes =
      is_super ? std::min(payload.size(), segment.text_at + vnet.gso_bytes) : payload.size();
  if (bytes > packet_bytes_max) return;
  flow.bytes = bytes;
  std::copy_n(payload.begin(), bytes, flow.packet.begin());
  if (is_super) become_first_segment(std::span{flow.packet}.first(bytes), segment);
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
