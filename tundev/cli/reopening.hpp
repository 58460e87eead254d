#pragma once
#include "base/clock.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace device::cli {

/// Decides whether a session that broke off is opened anew in its place, and when. Pure: no clock,
/// no bus. Resuming is the agents' own work; this is for what they cannot resume, and for finding
/// the session again at an agent that was killed and started again.
///
///   asked --established--> held --broke off--> broken --established, on_found()--> held
///                            broken --give_up_after, or a cause that stays--> given up
class Reopening {
 public:
  static constexpr auto first_delay = std::chrono::milliseconds{200};
  static constexpr auto delay_cap = std::chrono::seconds{2};
  /// Broken for so long, with whatever came up in between and broke again: enough.
  static constexpr auto give_up_after = std::chrono::minutes{10};
  /// A session that held this long was a good one: the next break is a new story.
  static constexpr auto good_after = std::chrono::minutes{1};
  /// A service that its supervisor has not started again by then was stopped for good.
  static constexpr auto service_back_within = std::chrono::seconds{10};

  void on_established(tunnel::Clock::time_point now);
  /// The agents try to resume it: that is part of the break.
  void on_interrupted(tunnel::Clock::time_point now);
  /// It is over against our will, or an attempt to open it anew failed.
  /// @param code  a word of wire::CloseCode, wire::RefusalCode or an org.rdv.Error; "agent_gone"
  /// @return whether to open it at next_attempt(); false: this is the end
  [[nodiscard]] bool on_lost(std::string_view code, tunnel::Clock::time_point now);

  /// The agent is back: there is no need to wait for next_attempt().
  void hurry(tunnel::Clock::time_point now) {
    if (attempt_) attempt_ = std::min(*attempt_, now);
  }
  /// It was not over: another agent goes on with it, and has not established it yet.
  void on_found() { attempt_.reset(); }

  bool is_broken() const { return attempt_.has_value(); }
  tunnel::Clock::time_point next_attempt() const { return *attempt_; }
  tunnel::Clock::duration broken_for(tunnel::Clock::time_point now) const { return now - broke_; }

 private:
  void begin_break(tunnel::Clock::time_point now);

  bool held_ = false;  ///< it was established at least once
  tunnel::Clock::time_point established_{}, broke_{}, lost_{}, story_began_{};
  bool is_whole_ = false;  ///< established, and neither interrupted nor broken since
  tunnel::Clock::duration delay_{};
  std::optional<tunnel::Clock::time_point> attempt_;  ///< while broken
};

}  // namespace device::cli
