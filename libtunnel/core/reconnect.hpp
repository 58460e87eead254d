#pragma once
#include "core/backoff.hpp"
#include "wire/limits.hpp"
#include "wire/reasons.hpp"

#include <algorithm>
#include <chrono>

namespace tunnel::core {

/// When a device tries its server again: for ever, full jitter up to 30 s; up to 5 min, and at
/// least half of that, while the server says that it does not want this device, or a proxy does not
/// accept our password; up to 1 s while an interrupted session waits for it. Pure.
class Reconnect {
 public:
  /// A connection that held this long was a good one: the next loss is a new story.
  static constexpr auto good_after = std::chrono::seconds{60};
  static constexpr auto unwelcome_cap = std::chrono::minutes{5};
  /// Another device shows our identity: whoever comes back at once only throws the other out.
  static constexpr auto replaced_at_least = std::chrono::seconds{10};

  /// This device holds an interrupted session, or no longer. What the server asked for still
  /// counts.
  void set_impatient(bool impatient) { impatient_ = impatient; }

  void on_online(Clock::time_point now) {
    online_ = true;
    online_since_ = now;
    unwelcome_ = false;
  }

  void on_goodbye(wire::GoodbyeCode code, Clock::duration retry_after) {
    using enum wire::GoodbyeCode;
    unwelcome_ = code == revoked || code == unknown_device || code == wrong_key ||
                 code == quarantined || code == unsupported_version;
    if (code == replaced) retry_after = std::max<Clock::duration>(retry_after, replaced_at_least);
    if (retry_after > Clock::duration::zero()) backoff_.on_retry_after(retry_after);
    replaced_ = code == replaced;
  }

  /// Whether the last attempt ended with a proxy that did not accept our password: too many of
  /// these, and the account is locked.
  void set_login_refused(bool refused) { login_refused_ = refused; }

  /// The connection is gone, or was never made. @param random  uniform over all 64-bit numbers
  Clock::duration next(Clock::time_point now, std::uint64_t random) {
    const bool was_good = online_ && !replaced_ && now - online_since_ >= good_after;
    online_ = replaced_ = false;
    if (was_good) backoff_.on_success();
    const auto delay =
        impatient_ ? backoff_.next(random, wire::impatient_reconnect_cap) : backoff_.next(random);
    if (!unwelcome_ && !login_refused_) return delay;
    const auto share = static_cast<double>(random) / 18446744073709551616.0;
    const auto half = Clock::duration{unwelcome_cap} / 2;
    const auto slow =
        half + Clock::duration{static_cast<Clock::rep>(static_cast<double>(half.count()) * share)};
    return std::max(delay, slow);
  }

 private:
  Backoff backoff_{{.first = wire::reconnect_first, .cap = wire::reconnect_cap}};
  bool online_ = false;
  bool unwelcome_ = false;
  bool login_refused_ = false;
  bool replaced_ = false;
  bool impatient_ = false;
  Clock::time_point online_since_{};
};

/// When a certificate is to be renewed: at two thirds of its life.
constexpr UnixSeconds renewal_due(UnixSeconds not_before, UnixSeconds not_after) {
  return not_before + (not_after - not_before) / 3 * 2;
}

}  // namespace tunnel::core
