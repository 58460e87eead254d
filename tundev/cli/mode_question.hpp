#pragma once
#include "cli/console.hpp"
#include "cli/device_facts.hpp"
#include "cli/enter_key.hpp"

#include <functional>
#include <string_view>

namespace device::cli {

class DeviceBus;

/// Says what mode L2 means to the laptop, and to a person who sits on its port over ssh.
/// @return whether he does: he is cut off, and comes back only when nobody confirms the mode
/// @throws BusError, Stopped
bool explain_l2(Console& console, DeviceBus& bus, std::string_view onsite);

/// Whether the mode that a session was switched to stays: a person at the terminal says so with
/// Enter. Without a terminal it is asked nowhere, and `masterdev --confirm` is the answer.
class ModeQuestion {
 public:
  /// @param confirm  tells the agent; may throw BusError, and Stopped, which is left to the next
  ///                 wait
  ModeQuestion(Console& console, std::function<void()> confirm)
      : console_{console}, confirm_{std::move(confirm)} {}

  /// To be called with every event of the session before it is shown: says in the event whether
  /// Enter is an answer to it.
  void on_event(SessionEvent& event);
  /// What is to be waited for besides; -1: nothing is asked.
  int fd() const noexcept { return key_.fd(); }
  /// fd() is readable.
  void on_input();

 private:
  void confirm();

  Console& console_;
  std::function<void()> confirm_;
  EnterKey key_;
};

}  // namespace device::cli
