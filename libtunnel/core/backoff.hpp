#pragma once
#include "base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace tunnel::core {

/// Delays between attempts to connect: "full jitter", each one random between 0 and a ceiling that
/// doubles up to a cap, so that devices that lost the same server do not come back together. The
/// random number comes in with the call.
class Backoff {
 public:
  struct Limits {
    Clock::duration first;  ///< ceiling of the first delay
    Clock::duration cap;    ///< no ceiling is above it
  };

  explicit Backoff(Limits limits) : limits_{limits}, ceiling_{std::min(limits.first, limits.cap)} {}

  /// @param random  uniform over all 64-bit numbers
  /// @param cap     of this delay alone, beside the limits' own
  /// @return how long to wait before the next attempt; at least what the server asked for
  Clock::duration next(std::uint64_t random, Clock::duration cap = Clock::duration::max()) {
    const auto share = static_cast<long double>(random) / std::numeric_limits<std::uint64_t>::max();
    const auto jittered = Clock::duration{
        static_cast<Clock::rep>(static_cast<long double>(std::min(ceiling_, cap).count()) * share)};
    ceiling_ = ceiling_ < limits_.cap / 2 ? ceiling_ * 2 : limits_.cap;
    const auto at_least = std::exchange(at_least_, Clock::duration::zero());
    return jittered + std::min(at_least, Clock::duration::max() - jittered);
  }
  /// The server's Retry-after: the next delay begins there.
  void on_retry_after(Clock::duration at_least) {
    const auto most =
        limits_.cap > Clock::duration::max() / 10 ? Clock::duration::max() : limits_.cap * 10;
    at_least_ = std::clamp(at_least, Clock::duration::zero(), most);
  }
  /// The connection held: the next loss is a new story.
  void on_success() { ceiling_ = std::min(limits_.first, limits_.cap); }

 private:
  Limits limits_;
  Clock::duration ceiling_;
  Clock::duration at_least_{};
};

}  // namespace tunnel::core
