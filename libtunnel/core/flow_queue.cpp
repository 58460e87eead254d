#include "core/flow_queue.hpp"

#include "base/endian.hpp"
#include "wire/limits.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tunnel::core {
namespace {

constexpr std::size_t ip_at = wire::vnet_header_bytes;
constexpr std::size_t ip_header_bytes_min = 20;
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

/// Of addresses, protocol and (but in fragments) ports: RFC 8290, 4.1.
std::uint32_t hash_of(std::span<const std::byte> packet, std::uint32_t seed) {
  if (packet.size() < ip_at + ip_header_bytes_min) return seed;
  const auto ip = packet.subspan(ip_at);
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

/// Addresses and ports, and the sequence number, of a TCP segment that is no fragment.
struct Segment {
  std::array<std::byte, 12> connection;
  std::uint32_t sequence;
};
std::optional<Segment> segment_in(std::span<const std::byte> packet) {
  if (packet.size() < ip_at + ip_header_bytes_min) return std::nullopt;
  const auto ip = packet.subspan(ip_at);
  const auto header_bytes = (std::to_integer<std::size_t>(ip[0]) & 0xfU) * 4;
  const bool is_fragment = (load_big_endian<std::uint16_t>(ip.subspan(6, 2)) & 0x3fffU) != 0;
  if (std::to_integer<unsigned>(ip[9]) != protocol_tcp || is_fragment ||
      ip.size() < header_bytes + 8)
    return std::nullopt;
  Segment segment{};
  const auto ports = ip.subspan(header_bytes, 4);
  std::ranges::copy(ports, std::ranges::copy(ip.subspan(12, 8), segment.connection.begin()).out);
  segment.sequence = load_big_endian<std::uint32_t>(ip.subspan(header_bytes + 4, 4));
  return segment;
}

/// It is of the same connection, and of an earlier part of its stream (RFC 9293, 3.4).
bool precedes(std::span<const std::byte> packet, std::span<const std::byte> other) {
  const auto a = segment_in(packet), b = segment_in(other);
  return a && b && a->connection == b->connection &&
         static_cast<std::int32_t>(a->sequence - b->sequence) < 0;
}

/// Marks a packet whose flow can read it.
///
/// @return false: it cannot, and the packet is as it was
bool mark_congestion(std::span<std::byte> packet) {
  if (packet.size() < ip_at + ip_header_bytes_min) return false;
  const auto ip = packet.subspan(ip_at);
  if (std::to_integer<unsigned>(ip[0]) >> 4U != 4) return false;
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
  packet_[first] = {none, static_cast<std::uint32_t>(bytes), now, is_kept};
  auto& flow = flow_of(first_block_of(first));
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
    if (at != none && precedes(first_block_of(added), first_block_of(at))) before = last;
  }
  auto& where = before == none ? flow.head : packet_[before].next;
  packet_[added].next = std::exchange(where, added);
  if (flow.tail == before) flow.tail = added;
}

/// Its own queue, else an idle one of its set, else (all are busy) one that it shares.
FlowQueue::Flow& FlowQueue::flow_of(std::span<const std::byte> packet) {
  const auto hash = hash_of(packet, seed_);
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
    const auto [next, bytes, since, is_kept] = packet_[first];
    const bool congested = !is_kept && flow->codel.must_drop(now - since, flow->bytes, codel_, now);
    if (congested &&
        !mark_congestion(start_of(first).first(std::min<std::size_t>(bytes, block_bytes)))) {
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
