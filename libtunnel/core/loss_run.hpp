#pragma once
#include <cstdint>

namespace tunnel::core {

/// Tells a connection that loses segments from one that lost some once: one in `lossy_one_in` or
/// more, looked at `looks` times in a row. Pure.
class LossRun {
 public:
  static constexpr std::uint32_t lossy_one_in = 300;
  static constexpr int looks = 2;  ///< more than a start that filled a buffer once
  /// Fewer since the look before say nothing.
  static constexpr std::uint32_t segments_min = 50;

  /// @param segments  sent or received since the connection began, as the kernel counts them (they
  ///     may wrap)  @param lost  the same of those that were lost, or came out of order
  /// @return true when it is lossy, and from then on
  bool add(std::uint32_t segments, std::uint32_t lost) {
    if (run_ >= looks) return true;
    const std::uint64_t new_segments = segments - segments_;
    const std::uint64_t new_lost = lost - lost_;
    if (new_segments >= segments_min) run_ = new_lost * lossy_one_in >= new_segments ? run_ + 1 : 0;
    segments_ = segments;
    lost_ = lost;
    return run_ >= looks;
  }

 private:
  std::uint32_t segments_ = 0, lost_ = 0;
  int run_ = 0;
};

}  // namespace tunnel::core
