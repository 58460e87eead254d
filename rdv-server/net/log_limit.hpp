#pragma once
#include "base/clock.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace rdv {

/// Keeps what strangers cause from filling the log: one line per `period`, with the number of those
/// left out before it.
class LogLimit {
 public:
  explicit LogLimit(tunnel::Clock::duration period) : period_{period} {}

  /// @return how many were left out since the last line; nothing when this one is to be left out
  /// too
  std::optional<std::uint64_t> pass(tunnel::Clock::time_point now) {
    if (now < next_) {
      ++left_out_;
      return std::nullopt;
    }
    next_ = now + period_;
    return std::exchange(left_out_, 0);
  }

 private:
  tunnel::Clock::duration period_;
  tunnel::Clock::time_point next_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace rdv
