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
///   next_deadline() is the earliest of: echo retry, echo time-out, keep-alive, key update, time
///   limit.
class SessionWatch {
 public:
  static constexpr auto echo_every = std::chrono::milliseconds{200};

  struct Times {
    bool probes = false;     ///< master: proves the path before "established"
    Clock::time_point ends;  ///< the session's time limit
    Keepalive::Times alive{wire::alive_after, wire::alive_give_up_after};
    Clock::duration echo_timeout = wire::echo_timeout;
    Clock::duration key_update_after = wire::key_update_after;
  };
  enum class Action { none, send_echo, send_alive, update_key, no_echo, peer_lost, time_limit };

  SessionWatch(Times times, Clock::time_point now)
      : times_{times},
        keepalive_{times.alive, now},
        probing_{times.probes},
        next_echo_{now},
        echo_ends_{now + times.echo_timeout},
        key_update_{now + times.key_update_after} {}

  void on_received(Clock::time_point now) { keepalive_.on_received(now); }
  void on_echo_answered() { probing_ = false; }
  void on_key_updated(Clock::time_point now) { key_update_ = now + times_.key_update_after; }
  bool is_probing() const { return probing_; }

  /// What to do at `now`; call again until Action::none.
  [[nodiscard]] Action on_deadline(Clock::time_point now) {
    if (now >= times_.ends) return Action::time_limit;
    if (probing_ && now >= echo_ends_) return Action::no_echo;
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
    auto next = std::min({times_.ends, keepalive_.next_deadline(), key_update_});
    if (probing_) next = std::min({next, next_echo_, echo_ends_});
    return next;
  }

 private:
  Times times_;
  Keepalive keepalive_;
  bool probing_;
  Clock::time_point next_echo_;
  Clock::time_point echo_ends_;
  Clock::time_point key_update_;
};

}  // namespace tunnel::core
