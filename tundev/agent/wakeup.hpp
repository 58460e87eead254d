#pragma once
#include "io/asio.hpp"

#include <utility>

namespace device {

namespace asio = tunnel::io::asio;
using tunnel::Clock;
using tunnel::io::Task;

/// Lets one coroutine sleep until another part of the program, or the time, wakes it. A notify()
/// that comes while nobody waits is kept. One waiter at a time; same thread.
class Wakeup {
 public:
  explicit Wakeup(asio::any_io_executor executor) : timer_{std::move(executor)} {}

  void notify() {
    notified_ = true;
    timer_.cancel();
  }
  /// Whoever is about to wait has looked at all that happened up to now.
  void forget() { notified_ = false; }
  Task<> wait() { return wait_until(Clock::time_point::max()); }
  Task<> wait_until(Clock::time_point deadline) {
    if (!notified_) {
      timer_.expires_at(deadline);
      co_await timer_.async_wait(tunnel::io::use_tuple);
    }
    notified_ = false;
  }

 private:
  tunnel::io::Timer timer_;
  bool notified_ = false;
};

/// Ends after `time`; to be raced with what must not take longer.
inline Task<> sleep_for(Clock::duration time) {
  tunnel::io::Timer timer{co_await asio::this_coro::executor};
  timer.expires_after(time);
  co_await timer.async_wait(tunnel::io::use_tuple);
}

}  // namespace device
