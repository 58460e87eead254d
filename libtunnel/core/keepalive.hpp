#pragma once
#include "base/clock.hpp"

namespace tunnel::core {

/// Decides when to ping a silent peer and when to give it up. Pure: no I/O, no clock of its own.
///
///   alive --silent for ping_after--> asked --silent for give_up_after--> dead
///     ^------- any frame received -------'
///
/// Invariant: next_deadline() is never earlier than the last `now` it was given, until dead.
class Keepalive {
 public:
  struct Times {
    Clock::duration ping_after;     ///< silence before we ask; below the usual NAT timeout of 60 s
    Clock::duration give_up_after;  ///< further silence before we call the peer dead
  };
  /// Whoever comes so late to a deadline did not run (SIGSTOP, a machine that slept): what came
  /// meanwhile is not read yet, and silence proves nothing.
  static constexpr auto late_after = std::chrono::seconds{2};
  enum class State { alive, asked, dead };
  enum class Action { none, send_ping, close };

  Keepalive(Times times, Clock::time_point now) : times_{times}, heard_{now} {}

  void on_received(Clock::time_point now) {
    if (state_ == State::dead) return;
    heard_ = now;
    state_ = State::alive;
  }

  /// What to do at `now`. Safe to call too early or too often: it then returns Action::none.
  [[nodiscard]] Action on_deadline(Clock::time_point now) {
    if (state_ == State::dead || now < next_deadline()) return Action::none;
    if (state_ == State::asked && now - next_deadline() < late_after) {
      state_ = State::dead;
      return Action::close;
    }
    state_ = State::asked;
    asked_ = now;
    return Action::send_ping;
  }

  /// A machine that slept through a deadline asks (again) and gives the peer its whole time to
  /// answer.
  Clock::time_point next_deadline() const {
    return state_ == State::alive ? heard_ + times_.ping_after : asked_ + times_.give_up_after;
  }
  State state() const { return state_; }

 private:
  Times times_;
  Clock::time_point heard_;
  Clock::time_point asked_{};
  State state_ = State::alive;
};

}  // namespace tunnel::core
