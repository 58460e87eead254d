#include "net/raw_direction.hpp"

namespace rdv {

namespace {

/// Carried before others on the thread get their turn.
constexpr std::size_t turn_bytes_max = Pipe::bytes_max;

}  // namespace

Task<RawDirection::End> RawDirection::run() {
  Pipe pipe;
  while (is_open()) {
    if (!pipe) pipe = around_.pipes.take();
    const auto moved = pipe.move(from_.native_handle(), to_.native_handle());
    if (moved.bytes > 0) {
      carried_.bytes += moved.bytes;
      carried_.last = tunnel::Clock::now();
      losses_.check(to_.native_handle(), carried_.last);
      turn_bytes_ += moved.bytes;
      found_something_ = true;
    }
    switch (moved.step) {
      case Pipe::Step::moved:
        if (turn_bytes_ < turn_bytes_max) break;
        turn_bytes_ = 0;
        co_await asio::post(from_.get_executor(), use_tuple);
        break;
      case Pipe::Step::wants_read:
        if (looks_later()) {
          co_await around_.moderation.next_look();
          break;
        }
        around_.pipes.give_back(std::exchange(pipe, Pipe{}));
        // The sender has nothing, or little that came just now: async_wait() looks again at once,
        // so that nothing is missed.
        co_await from_.async_wait(tcp::socket::wait_read, use_tuple);
        break;
      case Pipe::Step::wants_write:
        if (looks_later())
          co_await around_.moderation.next_look();
        else
          co_await to_.async_wait(tcp::socket::wait_write, use_tuple);
        break;
      case Pipe::Step::ended: co_return End{Whose::sender, asio::error::eof};
      case Pipe::Step::sender_failed: co_return End{Whose::sender, moved.why};
      case Pipe::Step::receiver_failed: co_return End{Whose::receiver, moved.why};
    }
  }
  co_return End{};
}

/// Whether others have their turn until the next look of the thread. Whoever looked in vain waits
/// for its socket: so a sender that has stopped costs nothing, nor does a receiver that is full.
bool RawDirection::looks_later() {
  turn_bytes_ = 0;
  return std::exchange(found_something_, false) && around_.moderation.on_wakeup();
}

}  // namespace rdv
