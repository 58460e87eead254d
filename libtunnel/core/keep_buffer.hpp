#pragma once
#include "base/bytes.hpp"
#include "core/flow_queue.hpp"
#include "wire/limits.hpp"
#include "wire/messages.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace tunnel::core {

/// What TCP flows have to say while a session has no leg. Given to the new leg first, it lets them
/// go on at once; without it each finds out by its own retransmission timer, which has doubled for
/// as long as the way was gone (measured: the first byte after 0.01 s instead of 14 s, after 40 s).
/// Pure.
///
/// - The newest packet of each flow that says again what it had said before, or acknowledges. While
///   nothing comes back TCP repeats the oldest segment that is missing, so it goes first. A
///   super-packet is cut to its first segment: it is the one that the receiver waits for.
/// - The backlog, in order: what went over the old leg and was not acknowledged, then what a flow
///   says for the first time. How much has arrived the other end says with the new leg. So for the
///   hosts nothing was lost and nothing comes twice: it was only late. The newest packet alone is
///   not enough: of several small requests that were lost together it is the last, and TCP takes
///   its acknowledgement for that of a repetition and waits (measured: 1 s more).
/// - TCP only: what UDP and ICMP carry is stale by then, or asked again by who sent it.
/// - A flow more than `packets_max` takes the place of the one that was silent for longest.
class KeepBuffer {
 public:
  static constexpr std::size_t packets_max = 64;
  /// virtio_net_hdr, and a packet of the tunnel's MTU (1500), in a frame with two tags; a longer
  /// one is not kept as a newest.
  static constexpr std::size_t packet_bytes_max = 1536;
  static constexpr std::size_t newest_bytes_max = packets_max * packet_bytes_max;  ///< 96 KiB
  /// All that is kept fits where it is put next (FlowQueue), where a packet takes whole blocks.
  /// What no longer fits is dropped, not what is older: the hosts miss the oldest first.
  static constexpr std::size_t backlog_bytes_max =
      (FlowQueue::kept_blocks_max - packets_max) * FlowQueue::block_bytes;  ///< 1.2 MB

  /// Where a packet stood on a leg: `end` counts the bytes of `packet` frames up to its own end.
  struct Sent {
    std::uint32_t epoch = 0;  ///< 0: on none
    std::uint64_t end = 0;
  };
  static constexpr auto not_sent = std::numeric_limits<std::uint64_t>::max();

  /// @param mode  what is behind the virtio_net_hdr: IPv4 packets, or Ethernet frames
  explicit KeepBuffer(wire::Mode mode = wire::Mode::l3) : mode_{mode} {}

  /// From the TUN, while there is no leg.
  /// @param packet  with its virtio_net_hdr; what is not of this mode is ignored
  void put(ByteView packet) { put(packet, Sent{}); }
  /// From the leg that was; it may repeat an earlier one. `end` is not_sent when it waited there.
  void put(ByteView packet, Sent sent);
  /// The other end has had so much of what went over that leg.
  void forget_received(Sent until);
  /// What is kept: the newest of each flow, then the backlog, each with the oldest first.
  /// Afterwards nothing is.
  std::vector<Bytes> take();

  std::size_t packets() const;
  /// Never above `backlog_bytes_max + newest_bytes_max`.
  std::size_t bytes() const;

 private:
  /// Addresses (of IPv4 the first 8 bytes), ports, and VLAN tags.
  using Name = std::array<std::byte, 32 + 4 + 8>;
  /// Offsets count from the start of the payload.
  struct Segment {
    Name flow{};
    std::size_t ip_at = 0, tcp_at = 0, text_at = 0;
    bool is_v6 = false;
    std::uint32_t end = 0;  ///< sequence number behind it
    bool is_news = false;   ///< it carries something, be it SYN or FIN
  };
  struct Flow {
    Name name{};
    std::uint64_t age = 0;         ///< the number of the put() it spoke in last
    std::uint32_t said_until = 0;  ///< sequence number
    bool has_said = false;
    std::size_t bytes = 0;  ///< of its newest packet; 0: none
    std::array<std::byte, packet_bytes_max> packet;
  };

  struct Waiting {
    Bytes packet;
    Sent sent;
  };

  std::optional<Segment> segment_of(ByteView payload) const;
  bool append(ByteView payload, const Segment& segment, Flow& flow, Sent sent);
  static void replace(ByteView payload, const Segment& segment, Flow& flow);
  /// Makes a super-packet its own first segment: lengths, flags, and the checksums that depend on
  /// them. @param payload  what is left of it
  static void become_first_segment(std::span<std::byte> payload, const Segment& segment);
  Flow& flow_of(const Name& name);

  wire::Mode mode_;
  std::vector<Waiting> backlog_;
  std::size_t backlog_charged_bytes_ = 0;  ///< in whole blocks
  std::vector<Flow> flows_;  ///< the first `count_`; grows to packets_max and keeps its memory
  std::size_t count_ = 0;
  std::uint64_t puts_ = 0;
};

}  // namespace tunnel::core
