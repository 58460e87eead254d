#pragma once
#include "net/signal.hpp"

namespace rdv {

/// How often a thread is woken to move bytes. Pure.
///
///   calm --twice per ms or more--> busy --less than once per ms--> calm
///
/// both as the mean since the last verdict, at least `window` ago: a thread that others kept from
/// running for a moment stays busy.
class WakeupRate {
 public:
  static constexpr auto window = std::chrono::milliseconds{1};
  static constexpr int busy_from = 2;   ///< per `window`
  static constexpr int calm_below = 1;  ///< per `window`

  /// The thread was woken, and found bytes to move.
  void on_wakeup(tunnel::Clock::time_point now);
  bool is_busy() const noexcept { return busy_; }

 private:
  tunnel::Clock::time_point since_{};
  int wakeups_ = 0;  ///< since then
  bool busy_ = false;
};

/// Interrupt moderation for one thread, as network cards have it: while bytes come so often that
/// waking for each of them costs more than moving them, they gather for `period` before the thread
/// looks again. It then moves more at a time, sends fuller segments, and the sender gets fewer
/// acknowledgements.
///
/// The thread sleeps meanwhile, outside of epoll_wait: Asio has its sockets registered for good, so
/// every arriving segment would wake it there. Everything else on the thread may wait for `period`
/// too.
class Moderation {
 public:
  /// What each length saves is in docs/PERFORMANCE.md, "The relay's wake-ups". Longer ones would
  /// look calm (WakeupRate). The kernel may add 50 us (prctl(2), PR_SET_TIMERSLACK).
  static constexpr auto period = std::chrono::microseconds{400};

  explicit Moderation(asio::any_io_executor executor)
      : executor_{std::move(executor)}, looks_{executor_} {}
  Moderation(Moderation&&) = delete;

  /// See WakeupRate. @return true when it should wait for next_look() instead of its socket
  bool on_wakeup() {
    rate_.on_wakeup(tunnel::Clock::now());
    return rate_.is_busy();
  }
  /// Returns when `period` is over since the last look of anybody, or a little later. It always
  /// does: look at your sockets then, and wait for them when they have nothing.
  Task<> next_look();

 private:
  void let_others_run(int times);
  void look();

  asio::any_io_executor executor_;
  Signal looks_;
  WakeupRate rate_;
  tunnel::Clock::time_point last_look_{};
  int waiting_ = 0;         ///< in next_look()
  bool scheduled_ = false;  ///< look() will run
};

}  // namespace rdv
