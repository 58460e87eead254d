#pragma once
#include "base/unique_fd.hpp"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <vector>

namespace rdv {

/// Moves bytes from socket to socket inside the kernel (splice(2)). Holds at most `bytes_max` of
/// them, and only while the receiver takes less than the sender gives.
class Pipe {
 public:
  /// What one direction may hold in user-made buffers (DESIGN 4, step 7).
  static constexpr std::size_t bytes_max = std::size_t{256} * 1024;

  enum class Step { moved, wants_read, wants_write, ended, sender_failed, receiver_failed };
  struct Moved {
    Step step;
    std::size_t bytes = 0;            ///< that went to the receiver
    boost::system::error_code why{};  ///< of the last two
  };

  Pipe() = default;
  /// One splice in and one out, both without waiting.
  ///
  /// moved: more may be there. wants_read: the pipe is empty and the sender has nothing now.
  /// wants_write: the receiver is full. ended: the sender has ended its stream, and the receiver
  /// has all of it.
  Moved move(int from, int to);

  std::size_t held_bytes() const noexcept { return held_; }
  explicit operator bool() const noexcept { return static_cast<bool>(out_); }

 private:
  friend class PipePool;
  tunnel::UniqueFd out_, in_;  // read end, write end
  std::size_t held_ = 0;
  bool ended_ = false;
};

/// Spare pipes of one thread. A direction has a pipe only while bytes are on their way through it,
/// so that a thousand idle sessions need none: pipes cost two descriptors and count against
/// pipe-user-pages-soft (pipe(7)), which at 256 KiB each would end at 128 directions.
class PipePool {
 public:
  static constexpr std::size_t spare_max = 8;

  /// @throws std::system_error  no descriptor left
  Pipe take();
  /// A pipe that holds something is closed.
  void give_back(Pipe pipe);

 private:
  std::vector<Pipe> spare_;  // at most spare_max, all empty
};

}  // namespace rdv
