#pragma once
#include "base/bytes.hpp"
#include "wire/limits.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace tunnel::core {

/// The newest packet of each TCP flow, while a session has no leg (DESIGN 4, "Resume"). Given to
/// the new leg first, it tells both ends of each flow at once that the way is back; without it they
/// find out by their own retransmission timer, which has doubled for as long as the way was gone
/// (measured: the first byte after 0.01 s instead of 14 s, after 40 s). Pure.
///
/// - The newest, because while nothing comes back TCP says the same again and again: the oldest
///   unacknowledged segment, or the last acknowledgement.
/// - TCP only: what UDP and ICMP carry is stale by then, or asked again by who sent it.
/// - A super-packet is cut to its first segment: it is the one that the receiver waits for, and its
///   acknowledgement brings the rest. Whole ones (64 KiB) would let one file copy take all the
///   memory, and hold up every other flow for 0.3 s at 2 Mbit/s, at the very moment it could go on.
/// - A flow more than `packets_max` takes the place of the one that was silent for longest.
class KeepBuffer {
 public:
  static constexpr std::size_t packets_max = 64;
  /// virtio_net_hdr, and a packet of the tunnel's MTU (1500); a longer one is not kept.
  static constexpr std::size_t packet_bytes_max = 1536;
  static constexpr std::size_t bytes_max = packets_max * packet_bytes_max;  ///< 96 KiB

  /// @param packet  as read from the TUN: virtio_net_hdr and IPv4 packet; anything else is ignored
  void put(ByteView packet);
  /// What is kept, oldest first; afterwards nothing is.
  std::vector<Bytes> take();

  std::size_t packets() const { return count_; }
  std::size_t bytes() const;

 private:
  /// Addresses and ports.
  using Flow = std::array<std::byte, 12>;
  struct Kept {
    Flow flow{};
    std::uint64_t age = 0;  ///< of the packet: the number of its put()
    std::size_t bytes = 0;
    std::array<std::byte, packet_bytes_max> packet;
  };

  Kept& place_for(const Flow& flow);

  std::vector<Kept> kept_;  ///< the first `count_`; grows to packets_max and keeps its memory
  std::size_t count_ = 0;
  std::uint64_t puts_ = 0;
};

}  // namespace tunnel::core
