#pragma once
#include "base/clock.hpp"
#include "core/keepalive.hpp"
#include "wire/limits.hpp"

#include <algorithm>

namespace tunnel::core {

/// Everything in a running session that time decides, for its one watchdog: the first echo,
/// liveness, the age of the keys, the time limit. Pure.
///
///   probing --echo answered--> running        (an onsite begins in running)
///   next_deadline() is the earliest of: echo retry, echo time-out, keep-alive, stall, key update,
///   time limit.
///
/// Liveness has two measures. A session with nothing under way is asked after 5 s of silence and
/// lost after 15 s. One with packets under way needs no question: each of them is one, answered by
/// an Ack within milliseconds. So 8 s of silence with something unacknowledged is a stall, and the
/// session is lost.
///
/// Progress is any byte from the other end, not only an Ack of more, and bytes of a TLS record that
/// is not yet whole count: on a way that loses a fifth, one direction stands still for seconds
/// while TCP loses the same segment again and again. Linux repeats it after about 0.5, 1.3, 2.9
/// and 6.1 s at a round trip of 200 ms (tail-loss probe, then the doubling timer of RFC 6298), and
/// sooner when something behind it arrives (RFC 8985). When it is our direction that stands still,
/// the other end hears nothing either and says Alive after 5 s. When it is theirs, 8 s of silence
/// need five losses in a row, of a segment with nothing behind it (1 in 3,000), and our own Alive
/// after 5 s brings something behind it. Such a leg would wait 6 s more for its next chance: a new
/// one is sooner there. What the kernel has not yet got rid of (SIOCOUTQ) is no measure: it tells
/// of the way to the relay alone, and the relay takes what the other device never gets.
class SessionWatch {
 public:
  static constexpr auto echo_every = std::chrono::milliseconds{200};

  struct Times {
    bool probes = false;     ///< master: proves the path before "established"
    Clock::time_point ends;  ///< the session's time limit
    Keepalive::Times alive{wire::alive_after, wire::alive_give_up_after};
    Clock::duration stall_after = wire::stall_after;
    Clock::duration echo_timeout = wire::echo_timeout;
    Clock::duration key_update_after = wire::key_update_after;
  };
  enum class Action { none, send_echo, send_alive, update_key, no_echo, peer_lost, time_limit };

  SessionWatch(Times times, Clock::time_point now)
      : times_{times},
        keepalive_{times.alive, now},
        progress_{now},
        probing_{times.probes},
        next_echo_{now},
        echo_ends_{now + times.echo_timeout},
        key_update_{now + times.key_update_after} {}

  /// Anything came from the other end, if only a part of a record.
  void on_received(Clock::time_point now) {
    keepalive_.on_received(now);
    progress_ = now;
  }
  /// Whether packets are under way that the other end has not acknowledged.
  void on_flight(bool is_flying, Clock::time_point now) {
    if (is_flying && !is_flying_) progress_ = now;
    is_flying_ = is_flying;
  }
  void on_echo_answered() { probing_ = false; }
  void on_key_updated(Clock::time_point now) { key_update_ = now + times_.key_update_after; }
  bool is_probing() const { return probing_; }

  /// What to do at `now`; call again until Action::none.
  [[nodiscard]] Action on_deadline(Clock::time_point now) {
    if (now >= times_.ends) return Action::time_limit;
    if (probing_ && now >= echo_ends_) return Action::no_echo;
    if (now >= stalls_at()) {
      if (now - stalls_at() < Keepalive::late_after) return Action::peer_lost;
      progress_ = now;
    }
    switch (keepalive_.on_deadline(now)) {
      case Keepalive::Action::none: break;
      case Keepalive::Action::send_ping: return Action::send_alive;
      case Keepalive::Action::close: return Action::peer_lost;
    }
    if (probing_ && now >= next_echo_) {
      next_echo_ = now + echo_every;
      return Action::send_echo;
    }
    if (now >= key_update_) {
      on_key_updated(now);
      return Action::update_key;
    }
    return Action::none;
  }

  Clock::time_point next_deadline() const {
    auto next = std::min({times_.ends, keepalive_.next_deadline(), stalls_at(), key_update_});
    if (probing_) next = std::min({next, next_echo_, echo_ends_});
    return next;
  }

 private:
  /// A master that still waits for its first echo has a time-out of its own.
  Clock::time_point stalls_at() const {
    return is_flying_ && !probing_ ? progress_ + times_.stall_after : Clock::time_point::max();
  }

  Times times_;
  Keepalive keepalive_;
  Clock::time_point progress_;
  bool is_flying_ = false;
  bool probing_;
  Clock::time_point next_echo_;
  Clock::time_point echo_ends_;
  Clock::time_point key_update_;
};

}  // namespace tunnel::core
