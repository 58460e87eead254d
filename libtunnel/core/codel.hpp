#pragma once
#include "base/clock.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace tunnel::core {

/// CoDel for one queue (RFC 8289, 5): says which packets must be dropped (or marked) so that the
/// sender learns that it fills the queue for longer than an interval. Pure.
class Codel {
 public:
  struct Settings {
    Clock::duration target = std::chrono::milliseconds{15};  ///< delay that may stand in the queue
    Clock::duration interval = std::chrono::milliseconds{100};  ///< a worst-case round trip
  };

  /// For the packet that is about to leave.
  ///
  /// @param delay         how long it was in the queue
  /// @param bytes_behind  what stays in the queue; with less than two packets nothing is dropped
  /// @return              true: drop it (and ask again for the next one), or mark it and send it
  bool must_drop(Clock::duration delay, std::size_t bytes_behind, const Settings& settings,
                 Clock::time_point now) {
    const bool above = stays_above(delay, bytes_behind, settings, now);
    if (!dropping_) {
      if (!above) return false;
      dropping_ = true;
      // A queue that was dropping a moment ago goes on about where it was.
      const auto delta = count_ - last_count_;
      const bool recent = now - drop_next_ < 16 * settings.interval;
      count_ = delta > 1 && recent ? delta : 1;
      last_count_ = count_;
      drop_next_ = after(now, settings);
      return true;
    }
    if (!above) {
      dropping_ = false;
      return false;
    }
    if (now < drop_next_) return false;
    ++count_;
    drop_next_ = after(drop_next_, settings);
    return true;
  }

 private:
  static constexpr std::size_t bytes_behind_min = 2 * 1514;

  bool stays_above(Clock::duration delay, std::size_t bytes_behind, const Settings& settings,
                   Clock::time_point now) {
    if (delay < settings.target || bytes_behind < bytes_behind_min) {
      first_above_ = {};
      return false;
    }
    if (first_above_ == Clock::time_point{}) {
      first_above_ = now + settings.interval;
      return false;
    }
    return now >= first_above_;
  }
  Clock::time_point after(Clock::time_point time, const Settings& settings) const {
    const auto interval = static_cast<double>(settings.interval.count());
    return time + Clock::duration{static_cast<Clock::rep>(interval / std::sqrt(count_))};
  }

  bool dropping_ = false;
  std::uint32_t count_ = 0, last_count_ = 0;
  Clock::time_point first_above_{};  ///< when the delay will have been above target for an interval
  Clock::time_point drop_next_{};
};

}  // namespace tunnel::core
