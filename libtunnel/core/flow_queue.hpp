#pragma once
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "core/codel.hpp"
#include "wire/limits.hpp"
#include "wire/messages.hpp"

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tunnel::core {

/// Packets that wait for the tunnel, a queue for each flow, as FQ-CoDel has it (RFC 8290): flows
/// take turns by bytes (deficit round robin, new flows first), and CoDel tells a flow that fills
/// its queue to slow down: by a mark where the flow can read it (ECN, RFC 3168), by a loss
/// otherwise. When all memory is taken, the flow that holds most of it loses its oldest packet.
/// Pure.
///
/// Memory is a pool of blocks, bounded, allocated as it is needed and kept.
class FlowQueue {
 public:
  static constexpr std::size_t block_bytes = 2048;
  static constexpr std::size_t blocks_max = 704;  ///< 1.4 MB
  static constexpr std::size_t packet_blocks_max =
      (wire::packet_payload_bytes_max + block_bytes - 1) / block_bytes;
  /// Of packets that were kept: room is left for one from the TUN, and to write the next.
  static constexpr std::size_t kept_blocks_max = blocks_max - 2 * packet_blocks_max;
  static constexpr std::size_t flows = 256;
  /// A flow may use any idle queue of its set: a ninth flow shares one when all nine fall into one
  /// set (once in 10^12), and not once in 32 as with sets of one.
  static constexpr std::size_t set_flows = 8;
  static constexpr std::int32_t quantum_bytes = 1524;

  using Block = std::span<std::byte, block_bytes>;

  /// @param seed  random, so that nobody can aim at another flow's queue
  /// @param mode  what is behind the virtio_net_hdr: an IPv4 packet, or an Ethernet frame. The flow
  /// of a frame is that of the IP packet in it, or all that its two MAC addresses say to each other
  /// of the same type (ARP, LLDP, PROFINET)
  explicit FlowQueue(std::uint32_t seed, wire::Mode mode = wire::Mode::l3)
      : seed_{seed}, mode_{mode} {}
  FlowQueue(FlowQueue&&) = delete;

  /// Where the next packet may be written, block after block; makes room by dropping. Valid until
  /// the next call.
  std::span<const Block> space();
  /// The next packet, its virtio_net_hdr before it, has been written to space(). One of 0 bytes is
  /// none.
  void push(std::size_t bytes, Clock::time_point now) { push(bytes, now, false); }
  /// The same for a packet that has waited elsewhere. It is dropped neither for its time here nor
  /// for memory: whoever puts such packets bounds them to `kept_blocks_max`, and puts them before
  /// any other.
  void push_kept(std::size_t bytes) { push(bytes, {}, true); }

  /// Moves the next packet to `out`.
  ///
  /// @param out  at least wire::packet_payload_bytes_max bytes
  /// @return     its length; 0 when no packet is left
  std::size_t pop(std::span<std::byte> out, Clock::time_point now);

  bool empty() const { return packets_ == 0; }
  /// The next packet is of a flow that had nothing here before: a keystroke, an echo.
  bool is_next_new() const { return !new_flows_.empty() && new_flows_.front().head != none; }
  std::size_t packets() const { return packets_; }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t marked() const { return marked_; }
  void set_codel(Codel::Settings settings) { codel_ = settings; }

 private:
  using Index = std::uint16_t;
  static constexpr Index none = 0xffff;

  /// Of a block that is the first of a packet: what is known of it.
  struct Packet {
    Index next = none;  ///< of its flow
    std::uint32_t bytes = 0;
    Clock::time_point since;
    bool is_kept = false;
    std::uint8_t ip_at = 0;  ///< where its IP header stands; 0: it has none
  };
  struct Flow : boost::intrusive::list_base_hook<> {
    std::uint32_t hash = 0;  ///< whose it is, or was last
    Index head = none, tail = none;
    std::uint32_t blocks = 0;  ///< but those of kept packets
    std::size_t bytes = 0;
    std::int32_t deficit = 0;
    Codel codel;
  };
  using Turns = boost::intrusive::list<Flow>;

  Index take_block();
  void give_back(Index first_block);
  /// What is to be read of a packet: its first block, and where its IP header is.
  struct Start {
    std::span<const std::byte> bytes;
    std::size_t ip_at;

    bool has_ip() const { return ip_at != 0; }
    std::span<const std::byte> ip() const { return bytes.subspan(ip_at); }
    std::span<const std::byte> link() const {
      return bytes.subspan(std::min(bytes.size(), wire::vnet_header_bytes));
    }
  };
  Start start_of_packet(Index packet) const {
    const auto& known = packet_[packet];
    return {{blocks_[packet]->bytes.data(), std::min<std::size_t>(known.bytes, block_bytes)},
            known.ip_at};
  }
  static bool precedes(const Start& packet, const Start& other);
  std::uint8_t find_ip(std::span<const std::byte> first_block) const;
  Flow& flow_of(const Start& packet);
  Flow* next_flow();
  /// Takes the oldest packet out of its flow; its blocks stay taken.
  Index unlink_head(Flow& flow);
  /// The oldest that is not kept; there is one.
  Index unlink_first_droppable(Flow& flow);
  void push(std::size_t bytes, Clock::time_point now, bool is_kept);
  /// Behind all others; but what the hosts say again, and the receiver therefore misses, before
  /// what was kept and comes later in the same stream.
  void link(Flow& flow, Index added);
  void count_out(Flow& flow, const Packet& packet);
  void drop_from_fattest();
  std::span<std::byte> start_of(Index block) { return blocks_[block]->bytes; }

  struct Memory {
    std::array<std::byte, block_bytes> bytes;
  };
  std::uint32_t seed_;
  wire::Mode mode_;
  std::vector<std::unique_ptr<Memory>> blocks_;
  std::vector<Index> next_block_;  ///< of the same packet, or of the free ones
  std::vector<Packet> packet_;
  Index free_ = none;
  std::size_t free_blocks_ = 0;
  std::vector<Index> space_;  ///< blocks that space() has handed out
  std::vector<Block> space_view_;

  std::array<Flow, flows> flow_;
  Turns new_flows_, old_flows_;
  Codel::Settings codel_;
  std::size_t packets_ = 0, bytes_ = 0, kept_blocks_ = 0;
  std::uint64_t dropped_ = 0, marked_ = 0;
};

}  // namespace tunnel::core
