#pragma once
#include "base/bytes.hpp"
#include "wire/limits.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace tunnel::core {

/// What TCP flows have to say while a session has no leg. Given to the new leg first, it lets them
/// go on at once; without it each finds out by its own retransmission timer, which has doubled for
/// as long as the way was gone (measured: the first byte after 0.01 s instead of 14 s, after 40 s).
/// Pure.
///
/// - The backlog: whatever a flow had not said before, in order. It begins with what the old leg
/// did
///   not bring to the other end, so for the hosts nothing was lost, it was only late. The newest
///   packet alone is not enough: of several small requests that were lost together it is the last,
///   and TCP takes its acknowledgement for that of a repetition and waits (measured: 1 s more).
/// - Beyond that the newest packet of each flow: what TCP says again and again while nothing comes
///   back, the oldest unacknowledged segment or the last acknowledgement. A super-packet is cut to
///   its first segment: it is the one that the receiver waits for.
/// - TCP only: what UDP and ICMP carry is stale by then, or asked again by who sent it.
/// - A flow more than `packets_max` takes the place of the one that was silent for longest.
class KeepBuffer {
 public:
  static constexpr std::size_t packets_max = 64;
  /// virtio_net_hdr, and a packet of the tunnel's MTU (1500); a longer one is not kept as a newest.
  static constexpr std::size_t packet_bytes_max = 1536;
  static constexpr std::size_t newest_bytes_max = packets_max * packet_bytes_max;  ///< 96 KiB
  /// A packet counts as whole blocks, as where it is put next (FlowQueue). What no longer fits is
  /// dropped, not what is older: the hosts miss the oldest first.
  static constexpr std::size_t block_bytes = 2048;
  static constexpr std::size_t backlog_bytes_max = 1U << 20U;

  /// @param packet  as read from the TUN: virtio_net_hdr and IPv4 packet; anything else is ignored
  void put(ByteView packet);
  /// What is kept: the backlog, then the newest, each with the oldest first; afterwards nothing is.
  std::vector<Bytes> take();

  std::size_t packets() const;
  /// Never above `backlog_bytes_max + newest_bytes_max`.
  std::size_t bytes() const;

 private:
  /// Addresses and ports.
  using Name = std::array<std::byte, 12>;
  struct Segment {
    Name flow{};
    std::size_t headers_bytes = 0;  ///< IP and TCP
    std::size_t ip_header_bytes = 0;
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

  static std::optional<Segment> segment_of(ByteView payload);
  bool append(ByteView payload, const Segment& segment, Flow& flow);
  static void replace(ByteView payload, const Segment& segment, Flow& flow);
  Flow& flow_of(const Name& name);

  std::vector<Bytes> backlog_;
  std::size_t backlog_charged_bytes_ = 0;  ///< in whole blocks
  std::vector<Flow> flows_;  ///< the first `count_`; grows to packets_max and keeps its memory
  std::size_t count_ = 0;
  std::uint64_t puts_ = 0;
};

}  // namespace tunnel::core
