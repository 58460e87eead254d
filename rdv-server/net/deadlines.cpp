#include "net/deadlines.hpp"

namespace rdv {

using tunnel::Clock;

Deadlines::Deadlines(const asio::any_io_executor& executor) : timer_{executor} {}

Task<> Deadlines::run() {
  while (!stopped_) {
    timer_.expires_at(by_time_.empty() ? Clock::time_point::max() : by_time_.begin()->first);
    co_await timer_.async_wait(use_tuple);
    if (!stopped_) call_due(Clock::now());
  }
}

void Deadlines::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Deadlines::call_due(Clock::time_point now) {
  // A handler may set, cancel or destroy any deadline, its own too: nothing is held across the
  // call.
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    auto& due = *by_time_.begin()->second;
    due.cancel();
    const auto handler = due.handler_;
    handler();
  }
}

Deadlines::ByTime::iterator Deadlines::add(Clock::time_point when, Deadline& deadline) {
  const bool earliest = by_time_.empty() || when < by_time_.begin()->first;
  const auto where = by_time_.emplace(when, &deadline);
  if (earliest) timer_.cancel();  // run() then waits for this one
  return where;
}

void Deadline::expires_at(Clock::time_point when) {
  cancel();
  where_ = all_.add(when, *this);
}

void Deadline::cancel() {
  if (where_ == all_.by_time_.end()) return;
  all_.by_time_.erase(where_);
  where_ = all_.by_time_.end();
}

Clock::time_point Deadline::expiry() const {
  return where_ == all_.by_time_.end() ? Clock::time_point::max() : where_->first;
}

}  // namespace rdv
