#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/masterdev.hpp"
#include "cli/mode_question.hpp"
#include "cli/stop_signals.hpp"

#include <utility>

namespace device::cli {
namespace {

/// Switches the session that somebody holds, and says what became of it: whoever holds it is told
/// and asked as well, and the agent alone counts the time.
class Switcher {
 public:
  Switcher(Console& console, const MasterdevArguments& arguments, std::string what)
      : console_{console}, arguments_{arguments}, what_{std::move(what)}, bus_{stop_.fd()} {}

  int run() {
    if (const auto code = check_device(console_, bus_, arguments_, what_)) return *code;
    bus_.watch_sessions();
    if (arguments_.mode == "L2") explain_l2(console_, bus_, "the onsite");
    const auto id = bus_.switch_mode(arguments_.mode);
    for (;;) {
      switch (bus_.wait(std::nullopt, question_.fd())) {
        case DeviceBus::Woken::event:
          while (auto event = bus_.take_event(id))
            if (const auto code = take(*event)) return *code;
          break;
        case DeviceBus::Woken::input: question_.on_input(); break;
        case DeviceBus::Woken::port_gone: break;  // its session says so
        case DeviceBus::Woken::stop: return leave("stopped before the mode was confirmed");
        case DeviceBus::Woken::deadline:
        case DeviceBus::Woken::agent_back:
        case DeviceBus::Woken::agent_gone: return leave("the device's service stopped");
      }
    }
  }

 private:
  std::optional<int> take(SessionEvent event) {
    question_.on_event(event);
    if (console_.json()) console_.print(json_event(event, ""));
    if (event.state == SessionState::switching) {
      console_.complain({.what = what_, .why = event.text, .next = "the mode before comes back"},
                        "not_switched");
      return exit_failed;
    }
    if (const auto code = say(console_, view_.on_event(event, tunnel::unix_now())))
      return *code == exit_done ? exit_failed : *code;  // an orderly end is not what was asked for
    const bool is_done = event.state == SessionState::confirmed ||
                         (event.state == SessionState::established && !event.enter);
    return is_done ? std::optional{exit_done} : std::nullopt;
  }

  int leave(const char* why) {
    console_.complain({.what = what_,
                       .why = why,
                       .next = "the mode before comes back, unless: masterdev --confirm"},
                      "stopped");
    return exit_failed;
  }

  Console& console_;
  const MasterdevArguments& arguments_;
  std::string what_;
  StopSignals stop_;
  DeviceBus bus_;
  SessionView view_{"the onsite"};
  ModeQuestion question_{console_, [this] { bus_.confirm_mode(); }};
};

}  // namespace

int switch_session(Console& console, const MasterdevArguments& arguments, const std::string& what) {
  return Switcher{console, arguments, what}.run();
}

}  // namespace device::cli
