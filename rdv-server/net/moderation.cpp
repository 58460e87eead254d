#include "net/moderation.hpp"

#include <thread>

namespace rdv {

using tunnel::Clock;

void WakeupRate::on_wakeup(Clock::time_point now) {
  ++wakeups_;
  const auto elapsed = now - since_;
  if (elapsed < window) return;
  busy_ = wakeups_ * Clock::duration{window} >= elapsed * (busy_ ? calm_below : busy_from);
  since_ = now;
  wakeups_ = 0;
}

Task<> Moderation::next_look() {
  ++waiting_;
  if (!scheduled_) {
    scheduled_ = true;
    last_look_ = Clock::now();
    let_others_run(2);
  }
  co_await looks_.wait();
  --waiting_;
}

/// Asio polls its sockets between two rounds of what is ready, and puts what came at the end of the
/// queue: after the second round nobody waits longer for us than one period.
void Moderation::let_others_run(int times) {
  asio::post(executor_, [this, times] { times > 1 ? let_others_run(times - 1) : look(); });
}

void Moderation::look() {
  scheduled_ = waiting_ > 0;
  if (!scheduled_) return;
  const auto next = last_look_ + period;
  if (const auto now = Clock::now(); now < next) std::this_thread::sleep_for(next - now);
  last_look_ = Clock::now();
  looks_.notify();
  let_others_run(2);
}

}  // namespace rdv
