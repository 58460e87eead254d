#pragma once
#include "base/clock.hpp"
#include "wire/messages.hpp"
#include "wire/reasons.hpp"

#include <optional>

namespace tunnel::core {

/// Whether a session stays in the mode it was switched to. A switch may cut off the very person who
/// asked for it; so it stays only when somebody confirms it, and otherwise the mode before comes
/// back: after `patience`, or at once when the new mode comes to nothing. Pure.
///
///   none --begin--> opening --on_established--> waiting --confirm--> none
///                      |                           |
///                      '--- is_failure ------------'--- is_over ---> back()
class ModeTrial {
 public:
  static constexpr auto patience = std::chrono::seconds{30};

  ModeTrial() = default;
  /// @param back  the mode to return to
  explicit ModeTrial(wire::Mode back) : back_{back} {}
  /// Of a session that an earlier process ran. @param until  as until() said it
  ModeTrial(wire::Mode back, Clock::time_point until) : back_{back}, until_{until} {}

  bool is_running() const { return back_.has_value(); }
  /// Only while it is running.
  wire::Mode back() const { return *back_; }
  /// The first time the session is established; later ones do not put it off.
  void on_established(Clock::time_point now) {
    if (is_running() && until_ == Clock::time_point::max()) until_ = now + patience;
  }
  void confirm() { *this = {}; }
  /// Nobody confirmed it in time.
  bool is_over(Clock::time_point now) const { return is_running() && now >= until_; }
  Clock::time_point until() const { return until_; }

  /// Decides if the end of the session is the new mode's failure, and not somebody's will, so that
  /// the mode before shall come back.
  /// @param failed  it did not end in an orderly way
  bool is_failure(bool failed, wire::CloseCode code) const {
    using enum wire::CloseCode;
    if (!is_running() || !failed) return false;
    return code != terminal_closed && code != unplugged && code != carrier_lost &&
           code != administrator && code != revoked && code != customer && code != replaced &&
           code != shutdown;
  }

 private:
  std::optional<wire::Mode> back_;
  Clock::time_point until_ = Clock::time_point::max();
};

}  // namespace tunnel::core
