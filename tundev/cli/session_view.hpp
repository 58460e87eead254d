#pragma once
#include "cli/complaint.hpp"
#include "cli/device_facts.hpp"

#include <optional>
#include <string>

namespace device::cli {

/// Decides what `masterdev -o` says of its session and how it ends. Pure.
///
///   asked --waiting--> asked --opening--> asked --established--> up <--interrupted, established
///     '--------------------- closed, agent gone ----------------'--> ended
class SessionView {
 public:
  /// How the command ends.
  struct End {
    int exit_code = 0;                   ///< 0 done, 1 failed
    std::optional<Complaint> complaint;  ///< present when it failed
    std::string code;                    ///< a word for programs
  };
  struct Answer {
    std::string line;     ///< for standard output; "": nothing to say
    std::string warning;  ///< for standard error; "": none
    std::string prompt;   ///< likewise: what the person at the terminal is asked; "": nothing
    std::optional<End> end;
  };

  explicit SessionView(std::string onsite) : onsite_{std::move(onsite)} {}

  /// @param now  what the clock on the wall says
  Answer on_event(const SessionEvent& event, tunnel::UnixSeconds now);
  /// tundev-agent left the bus: it has closed the session with everything else.
  Answer on_agent_gone();
  /// We asked for the end and heard nothing until the deadline.
  Answer on_close_deadline();

 private:
  Answer on_waiting(const SessionEvent& event);
  Answer on_established(const SessionEvent& event, tunnel::UnixSeconds now);
  std::string established_line(const SessionEvent& event, tunnel::UnixSeconds now) const;
  Answer on_switching(const SessionEvent& event);
  Answer on_interrupted(const SessionEvent& event, tunnel::UnixSeconds now);
  Answer on_closed(const SessionEvent& event);
  std::string what_failed() const;

  std::string onsite_;
  std::string last_waiting_;
  bool established_ = false;
  bool opening_ = false;
  bool interrupted_ = false;
};

}  // namespace device::cli
