#pragma once
#include "base/clock.hpp"
#include "wire/ack.hpp"

#include <algorithm>
#include <optional>

namespace tunnel::core {

/// When a receiver tells the sender how far it has come (wire::Ack): soon enough for a smooth flow
/// of credit, seldom enough to leave a narrow way back alone. Pure.
class AckClock {
 public:
  /// An acknowledgement costs about 120 bytes on the wire: 2 % of what it acknowledges on a slow
  /// line, 500 per second on a fast one.
  static constexpr std::uint64_t enough_bytes = 6 * 1024;
  static constexpr auto at_least = std::chrono::milliseconds{2};
  static constexpr auto at_most = std::chrono::milliseconds{5};
  static constexpr auto ride_after = std::chrono::milliseconds{1};

  void on_received(std::size_t bytes, Clock::time_point now) {
    if (acked_ == received_) first_unacked_ = now;
    received_ += bytes;
    last_ = now;
  }
  std::uint64_t received_bytes() const { return received_; }
  bool has_news() const { return acked_ != received_; }
  /// It may ride along with what is sent now anyway.
  bool may_ride(Clock::time_point now) const { return has_news() && now - told_ >= ride_after; }
  /// When to say it; only with news.
  Clock::time_point due() const {
    const auto soon = received_ - acked_ >= enough_bytes ? last_ : first_unacked_ + at_most;
    return std::max(soon, told_ + at_least);
  }
  /// @param lossy  see wire::Ack
  /// @return what to send now; the sender has been told then
  wire::Ack take(Clock::time_point now, bool lossy = false) {
    acked_ = received_;
    told_ = now;
    return {received_, std::chrono::duration_cast<std::chrono::microseconds>(now - last_), lossy};
  }

 private:
  std::uint64_t received_ = 0, acked_ = 0;
  Clock::time_point first_unacked_{}, last_{}, told_{};
};

}  // namespace tunnel::core
