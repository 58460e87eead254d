#pragma once
#include "base/unique_fd.hpp"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace rdv {

/// Moves bytes from socket to socket inside the kernel (splice(2)). Holds at most `bytes_max` of
/// them, and only while the receiver takes less than the sender gives.
class Pipe {
 public:
  /// What one direction may hold: the largest pipe that an unprivileged user may have (pipe(7),
  /// pipe-max-size).
  static constexpr std::size_t bytes_max = std::size_t{1} << 20U;

  enum class Step { moved, wants_read, wants_write, ended, sender_failed, receiver_failed };
  struct Moved {
    Step step;
    std::size_t bytes = 0;            ///< that went to the receiver
    boost::system::error_code why{};  ///< of the last two
  };

  Pipe() = default;
  /// One splice in and one out at most, both without waiting.
  ///
  /// moved: more may be there. wants_read: the pipe is empty, and so was the sender when we last
  /// looked. wants_write: the receiver is full. ended: the sender has ended its stream, and the
  /// receiver has all of it.
  Moved move(int from, int to);

  std::size_t held_bytes() const noexcept { return held_; }
  /// What it can hold, at most bytes_max.
  std::size_t size_bytes() const noexcept { return share_.bytes; }
  explicit operator bool() const noexcept { return static_cast<bool>(out_); }

 private:
  friend class PipePool;
  /// What a pipe takes of the pool's budget, for as long as it exists.
  struct Share {
    Share() = default;
    Share(std::size_t& all, std::size_t own) : taken{&all}, bytes{own} { all += own; }
    Share(Share&& other) noexcept
        : taken{std::exchange(other.taken, nullptr)}, bytes{std::exchange(other.bytes, 0)} {}
    Share& operator=(Share&& other) noexcept {
      std::swap(taken, other.taken);
      std::swap(bytes, other.bytes);
      return *this;
    }
    ~Share() {
      if (taken != nullptr) *taken -= bytes;
    }
    std::size_t* taken = nullptr;
    std::size_t bytes = 0;
  };
  /// @return false when the sender has failed; errno says why
  bool fill(int from);

  tunnel::UniqueFd out_, in_;  // read end, write end
  Share share_;
  std::size_t held_ = 0;
  bool sender_is_dry_ = false;  ///< when we last looked
  bool ended_ = false;
};

/// The pipes of one thread. A direction has one only while bytes are on their way through it, so
/// that a thousand idle sessions need none: pipes cost two descriptors and count against
/// pipe-user-pages-soft (pipe(7)), beyond which the kernel gives no more than two pages each.
///
/// Hence the first pipes are large, and the more there are the smaller they get: a full Mebibyte
/// costs the fewest system calls where one session runs at full speed, and receivers that take
/// nothing leave enough for others. The pool must outlive its pipes.
class PipePool {
 public:
  static constexpr std::size_t spare_max = 32;
  /// Up to here in all a new pipe has Pipe::bytes_max, ...
  static constexpr std::size_t large_until_bytes = std::size_t{16} << 20U;
  /// ... up to here this much, beyond it what the kernel gives: 64 KiB. A user has 64 MiB.
  static constexpr std::size_t medium_until_bytes = std::size_t{48} << 20U;
  static constexpr std::size_t medium_bytes = std::size_t{256} << 10U;

  PipePool() = default;
  PipePool(PipePool&&) = delete;

  /// @throws std::system_error  no descriptor left
  Pipe take();
  /// A pipe that holds something is closed.
  void give_back(Pipe pipe);

 private:
  std::size_t bytes_ = 0;    // size of all pipes that exist
  std::vector<Pipe> spare_;  // at most spare_max, all empty
};

}  // namespace rdv
