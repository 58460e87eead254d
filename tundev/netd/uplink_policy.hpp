#pragma once
#include "base/clock.hpp"

#include <optional>
#include <string>
#include <vector>

namespace device {

using tunnel::Clock;

/// Decides by which of several uplinks this device talks to its server. Pure.
///
/// Usable is what has carrier, an address and a default route; that comes from the kernel, in the
/// order of the configured priorities. Whether the server answers comes from the agent, which
/// tries.
///
///   none --one is usable--> the best of them
///     a --a is no longer usable--> the best one that answers, else the best that is not silent
///     a --the server is silent by a, but answers by b--> b; while it answers nowhere: a
///     b --a is better and the server has answered by it for return_after--> a
///
/// An uplink that was silent again soon after we returned to it has to be well for twice as long
/// the next time, at most `return_after_max`.
class UplinkPolicy {
 public:
  /// Uplinks that are looked at; further ones are passed over.
  static constexpr std::size_t uplinks_max = 8;
  /// Answers that are further apart do not belong together.
  static constexpr auto answers_apart_max = std::chrono::seconds{30};
  /// So long an answer says that the server can be reached by it now.
  static constexpr auto answer_is_fresh = std::chrono::seconds{15};
  /// A return that ended in silence before this was one too early.
  static constexpr auto proven_after = std::chrono::minutes{10};
  static constexpr auto return_after_max = std::chrono::hours{1};

  explicit UplinkPolicy(Clock::duration return_after) : return_after_{return_after} {}

  /// What is usable now, the best first. An uplink that is missing has lost what was known of it.
  void on_usable(const std::vector<std::string>& names, Clock::time_point now);
  /// The server was reached by this uplink. One that is not usable is passed over.
  void on_answer(const std::string& name, Clock::time_point now);
  /// The server was not reached by this uplink.
  void on_silence(const std::string& name, Clock::time_point now);

  /// The uplink to use; "" while none is usable.
  const std::string& active() const { return active_; }
  /// How long the server has to answer by this uplink before we return to it.
  Clock::duration return_after(const std::string& name) const;

 private:
  struct Way {
    std::string name;
    std::optional<Clock::time_point> answers_since, last_answer;
    std::optional<Clock::time_point> silent_since;
  };
  /// What outlives an uplink's loss: how often the return to it was too early.
  struct Record {
    std::string name;
    Clock::duration return_after;
  };

  void decide(Clock::time_point now);
  const Way* best(Clock::time_point now) const;
  const Way* better_than(const Way& way, Clock::time_point now) const;
  Way* find(const std::string& name);
  void change_to(const std::string& name, bool is_return, Clock::time_point now);
  void note_early_return(const std::string& name);

  Clock::duration return_after_;
  std::vector<Way> ways_;  ///< the best first
  std::string active_;
  std::optional<Clock::time_point> returned_;  ///< to `active_`
  std::vector<Record> records_;
};

}  // namespace device
