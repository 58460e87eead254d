#pragma once
#include "base/clock.hpp"
#include "emulator/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>

namespace emulator {

using tunnel::Clock;

constexpr std::size_t queue_bytes_default = 1'250'000;
/// Frames that one direction holds at most, in its queue and under way: 64 Ki x 2 KiB.
constexpr std::size_t frames_max = 65'536;

/// What one direction of a cable does to frames. The default is a cable that costs no time.
struct Settings {
  std::uint64_t rate_bps = 0;  ///< bit/s, counting whole Ethernet frames without FCS; 0: unlimited
  Clock::duration delay{};     ///< one way, behind the rate
  double loss_percent = 0;     ///< 0..100, of the frames that left the queue, independently
  std::size_t queue_bytes = queue_bytes_default;  ///< FIFO in front of the rate; tail drop
  bool open = true;                               ///< false: a black hole
};

/// What happened since the start, or since reset_counters().
struct Counters {
  std::uint64_t rx_frames = 0;  ///< arrived
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_frames = 0;  ///< handed on at the other end
  std::uint64_t tx_bytes = 0;
  std::uint64_t dropped_queue = 0;  ///< frames: the FIFO was full
  std::uint64_t dropped_loss = 0;   ///< frames: by chance, as asked for
  std::uint64_t dropped_closed =
      0;  ///< frames: while it was a black hole, or lost when it became one
  std::uint64_t dropped_limit = 0;  ///< frames: frames_max was reached
  std::size_t queue_bytes_max = 0;  ///< fullest the FIFO was
};

/// One direction of the emulated cable. Pure: no I/O, no clock of its own.
///
///   arrive() --> FIFO, tail drop --> rate --> loss --> delay --> take_due()
///
/// The departures stand on a schedule: a frame's transmission starts when it has arrived and the
/// one before it has ended, and takes bytes x 8 / rate. So whoever calls late makes a frame late,
/// but never the ones behind it: no error adds up (each transmission is rounded to the nanosecond).
/// Frames are never reordered, also when the delay becomes shorter.
class Direction {
 public:
  /// @param seed  of the losses: the same seed loses the same frames
  explicit Direction(std::uint64_t seed) : random_{seed} {}

  /// From `now` on. What waits is sent at the new rate; what is under way keeps its delay.
  /// Closing loses what is in it.
  void set(const Settings& settings, Clock::time_point now);
  /// Begins the sequence of losses anew.
  void seed(std::uint64_t seed) { random_.seed(seed); }

  /// A frame came in at `arrived`. May be told late, but in the order of arrival.
  void arrive(FramePtr frame, Clock::time_point arrived);

  /// @return the next frame whose time at the other end has come at `now`; nullptr: none
  FramePtr take_due(Clock::time_point now);
  /// When the frame that take_due() would give next is due. nullopt: nothing is in here.
  /// May be too early (the frame can still be lost); never too late.
  std::optional<Clock::time_point> next_due() const;
  /// When the frame given last by take_due() was due: what is behind that is the caller's lateness.
  Clock::time_point last_due() const { return last_due_; }

  const Settings& settings() const { return settings_; }
  const Counters& counters() const { return counters_; }
  void reset_counters();
  std::size_t queue_bytes() const { return queued_bytes_; }
  std::size_t frames() const { return queue_.size() + under_way_.size(); }

 private:
  struct Waiting {
    FramePtr frame;
    Clock::time_point arrived;
  };
  struct UnderWay {
    FramePtr frame;
    Clock::time_point due;
  };

  void advance(Clock::time_point now);
  void start_transmission();
  void launch(FramePtr frame, Clock::time_point departed);
  void lose_everything(Clock::time_point now);
  bool is_lost();
  Clock::duration transmission(std::size_t bytes) const;

  Settings settings_;
  Counters counters_;
  std::mt19937_64 random_;
  std::deque<Waiting> queue_;  // the first is being transmitted, and departs at departs_
  std::deque<UnderWay> under_way_;
  std::size_t queued_bytes_ = 0;
  Clock::time_point departs_{};  // while the queue is empty: when the last one departed
  Clock::time_point last_due_{};
};

}  // namespace emulator
