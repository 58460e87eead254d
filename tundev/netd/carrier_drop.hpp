#pragma once
#include "base/clock.hpp"

#include <chrono>
#include <cstdint>

namespace device {

using tunnel::Clock;

/// How long the laptop's port is off when its laptop shall ask for an address anew, and for how
/// long after that it is excused for having no carrier. Pure.
///
///   none --begin--> off --off_for--> (switch it on) --on_switched_on--> excused --excused_for-->
///   none
///                    ^                      |
///                    '------ on_refused ----'  tries_max times, then none
class CarrierDrop {
 public:
  static constexpr std::chrono::seconds off_for{1};  ///< long enough for a laptop to notice
  /// Gigabit Ethernet negotiates for 1.5 to 3 s (IEEE 802.3, clause 28), some adapters twice.
  static constexpr std::chrono::seconds excused_for{8};
  static constexpr int tries_max = 5;  ///< to switch it on, `off_for` apart

  enum class Action : std::uint8_t {
    none,
    switch_on,
    look  ///< what the port's carrier says counts again
  };

  /// It is switched off now, or is off already: then it stays so for `off_for` from now on.
  /// @param index  of the port
  void begin(int index, Clock::time_point now) {
    enter(State::off, index, now + off_for);
    refused_ = 0;
  }
  /// Another process had it off, and it was switched on just now.
  void excuse(int index, Clock::time_point now) { enter(State::excused, index, now + excused_for); }
  void cancel() { enter(State::none, 0, Clock::time_point::max()); }

  Action on_deadline(Clock::time_point now) {
    if (now < deadline_) return Action::none;
    if (state_ == State::off) return Action::switch_on;
    cancel();
    return Action::look;
  }
  void on_switched_on(Clock::time_point now) { excuse(index_, now); }
  /// @return whether it is tried again
  bool on_refused(Clock::time_point now) {
    deadline_ = now + off_for;
    if (++refused_ < tries_max) return true;
    cancel();
    return false;
  }

  /// Whether a port without carrier counts as if it had one.
  bool excuses(int index) const { return state_ != State::none && index == index_; }
  /// Clock::time_point::max(): there is none.
  Clock::time_point deadline() const { return deadline_; }

 private:
  enum class State : std::uint8_t { none, off, excused };

  void enter(State state, int index, Clock::time_point deadline) {
    state_ = state;
    index_ = index;
    deadline_ = deadline;
  }

  State state_ = State::none;
  int index_ = 0;
  Clock::time_point deadline_ = Clock::time_point::max();
  int refused_ = 0;
};

}  // namespace device
