#pragma once
#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "emulator/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace emulator {

/// One end of the cable: a packet socket on a link of this network namespace (packet(7)).
///
/// The kernel stamps a frame when it arrives, so that it does not matter for the schedule how late
/// the frame is read.
class PacketPort {
 public:
  static constexpr std::size_t batch_frames = 64;  ///< read or written with one system call

  using OnFrame = std::function<void(FramePtr, tunnel::Clock::time_point arrived)>;

  /// @throws std::system_error when there is no such link, or this is not root
  explicit PacketPort(const std::string& link);

  int fd() const { return fd_.get(); }

  /// Reads up to batch_frames frames without waiting and gives them on, in order.
  /// A frame longer than frame_bytes_max is dropped (`too_long()`).
  void receive(const OnFrame& on_frame);
  /// Writes up to batch_frames frames. What the kernel has no room for is lost (`not_sent()`).
  void send(std::span<const FramePtr> frames);

  std::uint64_t too_long() const { return too_long_; }
  std::uint64_t not_sent() const { return not_sent_; }
  /// Frames that came faster than they were read, and were lost in the kernel.
  std::uint64_t not_read();
  void reset_counters();

 private:
  std::string link_;
  tunnel::UniqueFd fd_;
  std::vector<FramePtr> empty_;  // batch_frames of them, to read into
  std::uint64_t too_long_ = 0;
  std::uint64_t not_sent_ = 0;
  std::uint64_t not_read_ = 0;
};

}  // namespace emulator
