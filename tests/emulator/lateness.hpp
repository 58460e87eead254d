#pragma once
#include "base/clock.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace emulator {

/// How late frames were handed on, in buckets of 10 us up to 20 ms: the emulator's own error.
class Lateness {
 public:
  using Duration = tunnel::Clock::duration;
  static constexpr Duration bucket = std::chrono::microseconds{10};
  static constexpr std::size_t buckets = 2000;

  void add(Duration late) {
    late = std::max(late, Duration::zero());
    max_ = std::max(max_, late);
    ++counts_[std::min(static_cast<std::size_t>(late / bucket), buckets - 1)];
    ++total_;
  }

  /// The upper end of the bucket that `percent` of all frames do not exceed; never above max().
  Duration percentile(double percent) const {
    const auto wanted = static_cast<double>(total_) * percent / 100;
    std::uint64_t seen = 0;
    for (std::size_t n = 0; n + 1 < buckets; ++n) {
      seen += counts_[n];
      if (static_cast<double>(seen) >= wanted)
        return std::min(max_, bucket * static_cast<Duration::rep>(n + 1));
    }
    return max_;
  }

  Duration max() const { return max_; }

 private:
  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t total_ = 0;
  Duration max_{};
};

}  // namespace emulator
