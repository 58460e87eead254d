#include "core/flow_queue.hpp"

#include "base/endian.hpp"
#include "wire/ethernet.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tunnel::core {
namespace {

constexpr std::size_t ip_header_bytes_min = 20;
constexpr std::size_t ipv6_header_bytes = 40;
constexpr unsigned protocol_tcp = 6;
constexpr unsigned protocol_udp = 17;
constexpr unsigned ecn_mask = 3;  ///< RFC 3168, 5: 0 not capable, 1 and 2 capable, 3 marked

/// MurmurHash3's mix of one word.
std::uint32_t mix(std::uint32_t hash, std::uint32_t word) {
  word *= 0xcc9e2d51U;
  word = word << 15U | word >> 17U;
  hash ^= word * 0x1b873593U;
  return (hash << 13U | hash >> 19U) * 5 + 0xe6546b64U;
}

/// MurmurHash3's last step: every bit of the input decides every bit of the result.
std::uint32_t finish(std::uint32_t hash) {
  hash = (hash ^ hash >> 16U) * 0x85ebca6bU;
  hash = (hash ^ hash >> 13U) * 0xc2b2ae35U;
  return hash ^ hash >> 16U;
}

std::uint32_t mix_words(std::uint32_t hash, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4)
    hash = mix(hash, load_big_endian<std::uint32_t>(bytes.subspan(i, 4)));
  return hash;
}

bool is_v6(std::span<const std::byte> ip) {
  return std::to_integer<unsigned>(ip[0]) >> 4U == 6 && ip.size() >= ipv6_header_bytes;
}

/// Addresses, protocol, and where the transport header begins; 0 in fragments, and where IPv6 has
/// put something between.
struct FlowKey {
  std::span<const std::byte> addresses;
  unsigned protocol;
  std::size_t transport_at;
};

FlowKey key_of(std::span<const std::byte> ip) {
  if (is_v6(ip)) return {ip.subspan(8, 32), std::to_integer<unsigned>(ip[6]), ipv6_header_bytes};
  const auto header_bytes = (std::to_integer<std::size_t>(ip[0]) & 0xfU) * 4;
  const bool is_fragment = (load_big_endian<std::uint16_t>(ip.subspan(6, 2)) & 0x3fffU) != 0;
  return {ip.subspan(12, 8), std::to_integer<unsigned>(ip[9]), is_fragment ? 0 : header_bytes};
}

/// Of addresses, protocol and (but in fragments) ports: RFC 8290, 4.1.
std::uint32_t hash_of_ipv4(std::span<const std::byte> ip, std::uint32_t seed) {
  const auto protocol = std::to_integer<unsigned>(ip[9]);
  auto hash = mix(mix(seed, load_big_endian<std::uint32_t>(ip.subspan(12, 4))),
                  load_big_endian<std::uint32_t>(ip.subspan(16, 4)));
  const auto header_bytes = (std::to_integer<std::size_t>(ip[0]) & 0xfU) * 4;
  const bool is_fragment = (load_big_endian<std::uint16_t>(ip.subspan(6, 2)) & 0x3fffU) != 0;
  const bool has_ports = (protocol == protocol_tcp || protocol == protocol_udp) && !is_fragment;
  if (has_ports && ip.size() >= header_bytes + 4)
    hash = mix(hash, load_big_endian<std::uint32_t>(ip.subspan(header_bytes, 4)));
  return finish(mix(hash, protocol));
}

std::uint32_t hash_of_ipv6(std::span<const std::byte> ip, std::uint32_t seed) {
  const auto protocol = std::to_integer<unsigned>(ip[6]);
  auto hash = mix_words(seed, ip.subspan(8, 32));
  const bool has_ports = protocol == protocol_tcp || protocol == protocol_udp;
  if (has_ports && ip.size() >= ipv6_header_bytes + 4)
    hash = mix(hash, load_big_endian<std::uint32_t>(ip.subspan(ipv6_header_bytes, 4)));
  return finish(mix(hash, protocol));
}

/// Of the two MAC addresses and what follows them: type, or tag.
std::uint32_t hash_of_frame(std::span<const std::byte> frame, std::uint32_t seed) {
  return finish(mix_words(seed, frame.first(std::min<std::size_t>(frame.size(), 16))));
}

/// Addresses and ports, and the sequence number, of a TCP segment that is no fragment.
struct Segment {
  std::span<const std::byte> addresses, ports;
  std::uint32_t sequence;
};
std::optional<Segment> segment_in(std::span<const std::byte> ip) {
  const auto [addresses, protocol, transport_at] = key_of(ip);
  if (protocol != protocol_tcp || transport_at == 0 || ip.size() < transport_at + 8)
    return std::nullopt;
  const auto tcp = ip.subspan(transport_at);
  return Segment{addresses, tcp.first(4), load_big_endian<std::uint32_t>(tcp.subspan(4, 4))};
}

/// Marks a packet whose flow can read it.
///
/// @return false: it cannot, and the packet is as it was
bool mark_congestion(std::span<std::byte> ip) {
  if (is_v6(ip)) {  // RFC 8200, 7: the traffic class is bits 4 to 11, and nothing sums it up
    constexpr auto mask = std::byte{ecn_mask << 4U};
    const bool is_capable = (ip[1] & mask) != std::byte{0};
    if (is_capable) ip[1] |= mask;
    return is_capable;
  }
  const auto ecn = std::to_integer<unsigned>(ip[1]) & ecn_mask;
  if (ecn == 0) return false;
  const auto before = load_big_endian<std::uint16_t>(ip.first(2));
  ip[1] |= std::byte{ecn_mask};
  const auto after = load_big_endian<std::uint16_t>(ip.first(2));
  // RFC 1624, 3: HC' = ~(~HC + ~m + m')
  const auto checksum = load_big_endian<std::uint16_t>(ip.subspan(10, 2));
  std::uint32_t sum = (checksum ^ 0xffffU) + (before ^ 0xffffU) + after;
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  store_big_endian(ip.subspan(10, 2), static_cast<std::uint16_t>(~sum & 0xffffU));
  return true;
}

constexpr std::size_t blocks_of(std::size_t bytes) {
  return (bytes + FlowQueue::block_bytes - 1) / FlowQueue::block_bytes;
}

}  // namespace

FlowQueue::Index FlowQueue::take_block() {
  if (free_ == none) {
    blocks_.push_back(std::make_unique_for_overwrite<Memory>());
    next_block_.push_back(none);
    packet_.emplace_back();
    return static_cast<Index>(blocks_.size() - 1);
  }
  const auto block = free_;
  free_ = next_block_[block];
  --free_blocks_;
  return block;
}

void FlowQueue::give_back(Index first_block) {
  for (auto block = first_block; block != none;) {
    const auto next = next_block_[block];
    next_block_[block] = free_;
    free_ = block;
    ++free_blocks_;
    block = next;
  }
}

std::span<const FlowQueue::Block> FlowQueue::space() {
  const auto missing = packet_blocks_max - space_.size();
  while (blocks_max + free_blocks_ < blocks_.size() + missing)
    drop_from_fattest();
  while (space_.size() < packet_blocks_max) {
    space_.push_back(take_block());
    space_view_.emplace_back(blocks_[space_.back()]->bytes);
  }
  return space_view_;
}

void FlowQueue::push(std::size_t bytes, Clock::time_point now, bool is_kept) {
  const auto count = blocks_of(bytes);
  BOOST_ASSERT(count <= space_.size());
  if (count == 0) return;
  for (std::size_t i = 0; i < count; ++i)
    next_block_[space_[i]] = i + 1 < count ? space_[i + 1] : none;
  const auto first = space_[0];
  packet_[first] = {none, static_cast<std::uint32_t>(bytes), now, is_kept,
                    find_ip(start_of(first).first(std::min(bytes, block_bytes)))};
  auto& flow = flow_of(start_of_packet(first));
  link(flow, first);
  if (is_kept)
    kept_blocks_ += count;
  else
    flow.blocks += static_cast<std::uint32_t>(count);
  flow.bytes += bytes;
  bytes_ += bytes;
  ++packets_;
  if (!flow.is_linked()) {
    flow.deficit = quantum_bytes;
    new_flows_.push_back(flow);
  }
  const auto used = static_cast<std::ptrdiff_t>(count);
  space_.erase(space_.begin(), space_.begin() + used);
  space_view_.erase(space_view_.begin(), space_view_.begin() + used);
}

void FlowQueue::link(Flow& flow, Index added) {
  auto before = flow.tail;
  if (kept_blocks_ > 0 && !packet_[added].is_kept) {
    auto last = none, at = flow.head;
    while (at != none && !packet_[at].is_kept)
      last = std::exchange(at, packet_[at].next);
    if (at != none && precedes(start_of_packet(added), start_of_packet(at))) before = last;
  }
  auto& where = before == none ? flow.head : packet_[before].next;
  packet_[added].next = std::exchange(where, added);
  if (flow.tail == before) flow.tail = added;
}

/// Where the IP header stands, which is whole; 0 when there is none.
std::uint8_t FlowQueue::find_ip(std::span<const std::byte> first_block) const {
  if (mode_ == wire::Mode::l3)
    return first_block.size() < wire::vnet_header_bytes + ip_header_bytes_min
               ? 0
               : wire::vnet_header_bytes;
  if (first_block.size() < wire::vnet_header_bytes) return 0;
  const auto frame = first_block.subspan(wire::vnet_header_bytes);
  const auto header = wire::read_ethernet(frame);
  if (!header) return 0;
  // Not read_ip(): the end of a long packet is in other blocks.
  const auto ip = frame.subspan(header->bytes);
  const bool is_ip =
      (header->ether_type == wire::ether_type_ipv4 && ip.size() >= ip_header_bytes_min &&
       std::to_integer<unsigned>(ip[0]) >> 4U == 4) ||
      (header->ether_type == wire::ether_type_ipv6 && ip.size() >= ipv6_header_bytes && is_v6(ip));
  return is_ip ? static_cast<std::uint8_t>(wire::vnet_header_bytes + header->bytes) : 0;
}

/// It is of the same connection, and of an earlier part of its stream (RFC 9293, 3.4).
bool FlowQueue::precedes(const Start& packet, const Start& other) {
  if (!packet.has_ip() || !other.has_ip()) return false;
  const auto a = segment_in(packet.ip()), b = segment_in(other.ip());
  return a && b && std::ranges::equal(a->addresses, b->addresses) &&
         std::ranges::equal(a->ports, b->ports) &&
         static_cast<std::int32_t>(a->sequence - b->sequence) < 0;
}

/// Its own queue, else an idle one of its set, else (all are busy) one that it shares.
FlowQueue::Flow& FlowQueue::flow_of(const Start& packet) {
  const auto hash = !packet.has_ip()     ? hash_of_frame(packet.link(), seed_)
                    : is_v6(packet.ip()) ? hash_of_ipv6(packet.ip(), seed_)
                                         : hash_of_ipv4(packet.ip(), seed_);
  const auto set = std::span{flow_}.subspan(hash % (flows / set_flows) * set_flows, set_flows);
  if (const auto own = std::ranges::find(set, hash, &Flow::hash); own != set.end()) return *own;
  const auto idle = std::ranges::find_if(set, [](const Flow& flow) { return !flow.is_linked(); });
  if (idle == set.end()) return set.front();
  idle->hash = hash;
  idle->codel = {};
  return *idle;
}

FlowQueue::Index FlowQueue::unlink_head(Flow& flow) {
  const auto first = flow.head;
  const auto& packet = packet_[first];
  flow.head = packet.next;
  if (flow.head == none) flow.tail = none;
  count_out(flow, packet);
  return first;
}

FlowQueue::Index FlowQueue::unlink_first_droppable(Flow& flow) {
  if (!packet_[flow.head].is_kept) return unlink_head(flow);
  auto before = flow.head;
  while (packet_[packet_[before].next].is_kept)
    before = packet_[before].next;
  const auto found = packet_[before].next;
  packet_[before].next = packet_[found].next;
  if (flow.tail == found) flow.tail = before;
  count_out(flow, packet_[found]);
  return found;
}

void FlowQueue::count_out(Flow& flow, const Packet& packet) {
  const auto count = blocks_of(packet.bytes);
  if (packet.is_kept)
    kept_blocks_ -= count;
  else
    flow.blocks -= static_cast<std::uint32_t>(count);
  flow.bytes -= packet.bytes;
  bytes_ -= packet.bytes;
  --packets_;
}

void FlowQueue::drop_from_fattest() {
  auto& fattest = *std::max_element(
      flow_.begin(), flow_.end(), [](const Flow& a, const Flow& b) { return a.blocks < b.blocks; });
  BOOST_ASSERT(fattest.blocks > 0);
  give_back(unlink_first_droppable(fattest));
  ++dropped_;
}

/// Whose turn it is, with a packet and something left to spend; the lists as RFC 8290, 4.2 has
/// them.
FlowQueue::Flow* FlowQueue::next_flow() {
  for (;;) {
    auto& turns = new_flows_.empty() ? old_flows_ : new_flows_;
    if (turns.empty()) return nullptr;
    auto& flow = turns.front();
    if (flow.deficit <= 0) {
      flow.deficit += quantum_bytes;
      turns.pop_front();
      old_flows_.push_back(flow);
    } else if (flow.head != none) {
      return &flow;
    } else {
      // One that was new gets one more round among the others, or it would always be new.
      const bool again = &turns == &new_flows_ && !old_flows_.empty();
      turns.pop_front();
      if (again) old_flows_.push_back(flow);
    }
  }
}

std::size_t FlowQueue::pop(std::span<std::byte> out, Clock::time_point now) {
  for (;;) {
    auto* flow = next_flow();
    if (flow == nullptr) return 0;
    const auto first = unlink_head(*flow);
    const auto [next, bytes, since, is_kept, ip_at] = packet_[first];
    const bool congested = !is_kept && flow->codel.must_drop(now - since, flow->bytes, codel_, now);
    if (congested && (ip_at == 0 || !mark_congestion(start_of(first).subspan(ip_at)))) {
      give_back(first);
      ++dropped_;
      continue;
    }
    if (congested) ++marked_;
    flow->deficit -= static_cast<std::int32_t>(bytes);
    std::size_t done = 0;
    for (auto block = first; block != none; block = next_block_[block]) {
      const auto piece = std::min<std::size_t>(bytes - done, block_bytes);
      std::copy_n(start_of(block).begin(), piece, out.begin() + static_cast<std::ptrdiff_t>(done));
      done += piece;
    }
    give_back(first);
    return bytes;
  }
}

}  // namespace tunnel::core
