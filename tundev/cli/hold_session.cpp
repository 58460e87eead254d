#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/masterdev.hpp"
#include "cli/mode_question.hpp"
#include "cli/reopening.hpp"
#include "cli/stop_signals.hpp"
#include "cli/text.hpp"
#include "wire/reasons.hpp"

#include <fmt/format.h>

#include <utility>

namespace device::cli {

std::optional<int> say(Console& console, const SessionView::Answer& answer) {
  if (!answer.line.empty() && !console.json()) console.print(answer.line);
  if (!answer.warning.empty()) console.note("warning: " + answer.warning);
  if (!answer.prompt.empty()) console.note(answer.prompt);
  if (!answer.end) return std::nullopt;
  if (answer.end->complaint) console.complain(*answer.end->complaint, answer.end->code);
  return answer.end->exit_code;
}

namespace {

using tunnel::Clock;
using tunnel::wire::CloseCode;

/// What the agent is told: a word of wire::CloseCode becomes the cause of the end, anything else
/// stands behind "the engineer ended it".
std::string close_reason(Stop why) {
  switch (why) {
    case Stop::none:
    case Stop::ctrl_c: return "";
    case Stop::terminate: return "masterdev was told to stop";
    case Stop::terminal_closed: return std::string{to_string(CloseCode::terminal_closed)};
  }
  return "";
}

/// As the agent reads it.
CloseCode port_end(const std::string& why) {
  return why.find("carrier") != std::string::npos ? CloseCode::carrier_lost : CloseCode::unplugged;
}

constexpr auto agent_gone = "agent_gone";
constexpr auto service_stopped = "the device's service stopped";

/// One session from Open to its end, at another agent when that was killed, and others in its place
/// when it is lost.
class Holder {
 public:
  Holder(Console& console, const MasterdevArguments& arguments)
      : console_{console}, arguments_{arguments}, bus_{stop_.fd()}, view_{arguments.onsite} {}

  int run(const std::string& what) {
    if (const auto code = check_device(console_, bus_, arguments_, what)) return *code;
    bus_.watch_sessions();
    bus_.watch_port();
    if (arguments_.mode == "L2") must_confirm_ = explain_l2(console_, bus_, arguments_.onsite);
    open(arguments_.seconds);
    for (;;) {
      const auto code =
          id_ == no_session ? wait_to_reopen() : turn(bus_.wait(closing_, question_.fd()));
      if (code) return *code;
      if (console_.is_broken()) {
        if (id_ == no_session) return exit_done;
        ask_to_close(Stop::terminal_closed);
      }
    }
  }

 private:
  std::optional<int> turn(DeviceBus::Woken woken) {
    switch (woken) {
      case DeviceBus::Woken::event:
        while (const auto event = bus_.take_event(id_)) {
          if (const auto code = take(*event)) return code;
          if (id_ == no_session) break;
        }
        return std::nullopt;
      case DeviceBus::Woken::agent_gone:
        if (!closing_ && reopen_after(agent_gone, service_stopped)) return std::nullopt;
        return say(console_, view_.on_agent_gone());
      case DeviceBus::Woken::agent_back:
      case DeviceBus::Woken::port_gone: return std::nullopt;  // the agent ends it
      case DeviceBus::Woken::input: question_.on_input(); return std::nullopt;
      case DeviceBus::Woken::deadline: return say(console_, view_.on_close_deadline());
      case DeviceBus::Woken::stop: break;
    }
    const auto why = stop_.take();
    if (!closing_) {
      ask_to_close(why);
      return std::nullopt;
    }
    // A terminal that closes may send several signals; only a second Ctrl-C means "now". The agent
    // ends the session of a command that is gone.
    if (why != Stop::ctrl_c) return std::nullopt;
    console_.note("left without waiting for the end of the session");
    return exit_failed;
  }

  std::optional<int> take(SessionEvent event) {
    const auto now = Clock::now();
    question_.on_event(event);
    if (event.state == SessionState::switching) {
      id_ = event.next;
      mode_ = event.mode;
      must_confirm_ = event.text.empty();
      session_.clear();
      is_continued_ = true;
      add_to_before(event);  // its own "closed" comes under the number that is no longer ours
    }
    if (event.state == SessionState::confirmed) must_confirm_ = false;
    if (event.state == SessionState::interrupted) reopening_.on_interrupted(now);
    if (event.state == SessionState::established) {
      if (!first_established_) first_established_ = now;
      session_ = event.session;
      must_confirm_ = event.confirm_seconds > 0;
      if (reopening_.is_broken()) event.anew = is_continued_ = true;
      // An agent that was killed does not know since when.
      if (reopening_.is_broken() || std::exchange(is_found_, false))
        event.interrupted_ms =
            std::chrono::duration<double, std::milli>(reopening_.broken_for(now)).count();
      reopening_.on_established(now);
    }
    if (event.state == SessionState::closed) {
      add_to_before(event);
      event.rx_bytes = before_.rx_bytes;
      event.tx_bytes = before_.tx_bytes;
      if (is_continued_ && first_established_) event.seconds = seconds_since(*first_established_);
      session_.clear();
      if (event.failed && !closing_ && reopen_after(event.code, event.text)) return std::nullopt;
    }
    return show(event);
  }

  std::optional<int> show(const SessionEvent& event) {
    show_raw(event);
    return say(console_, view_.on_event(event, tunnel::unix_now()));
  }

  void add_to_before(const SessionEvent& event) {
    before_.rx_bytes += event.rx_bytes;
    before_.tx_bytes += event.tx_bytes;
  }

  static std::uint64_t seconds_since(Clock::time_point when) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - when).count());
  }

  void open(std::uint32_t seconds) {
    id_ = bus_.open(
        {.onsite = arguments_.onsite, .mode = mode_, .seconds = seconds, .confirm = must_confirm_});
  }

  // --- opening it anew ---------------------------------------------------------------------------

  /// @return false: that was the end
  bool reopen_after(const std::string& code, const std::string& text) {
    const bool was_told = reopening_.is_broken();
    if (!reopening_.on_lost(code, Clock::now())) return false;
    id_ = no_session;
    if (!was_told) show_break(code, text);
    return true;
  }

  void show_break(const std::string& code, const std::string& text) {
    const bool anew = session_.empty();
    const std::chrono::seconds limit{anew ? Reopening::give_up_after
                                          : Reopening::service_back_within};
    show({.state = SessionState::interrupted,
          .state_word = "interrupted",
          .text = text,
          .up_to_seconds = static_cast<std::uint64_t>(limit.count()),
          .anew = anew,
          .code = code});
  }

  std::optional<int> wait_to_reopen() {
    if (const auto& why = bus_.port_gone_why(); !why.empty()) return ended(port_end(why));
    switch (bus_.wait(reopening_.next_attempt())) {
      case DeviceBus::Woken::event: bus_.take_event(no_session); return std::nullopt;
      case DeviceBus::Woken::agent_gone:
      case DeviceBus::Woken::port_gone:
      case DeviceBus::Woken::input: return std::nullopt;
      case DeviceBus::Woken::agent_back: reopening_.hurry(Clock::now()); return std::nullopt;
      case DeviceBus::Woken::deadline: return reopen();
      case DeviceBus::Woken::stop: break;
    }
    if (stop_.take() == Stop::none) return std::nullopt;
    return ended(CloseCode::operator_);
  }

  /// Looks for the session at the agent that has come back, else opens another one.
  std::optional<int> reopen() {
    std::uint32_t left = 0;
    if (arguments_.seconds != 0) {
      const auto used = seconds_since(*first_established_);
      if (used >= arguments_.seconds) return ended(CloseCode::time_limit);
      left = arguments_.seconds - static_cast<std::uint32_t>(used);
    }
    try {
      if (!find()) open(left);
    } catch (const BusError& error) {
      const auto word = error_word(error.name);
      if (reopen_after(word, error.what())) return std::nullopt;
      const auto what = fmt::format("the session to {} broke off", arguments_.onsite);
      console_.complain(explain_bus_error(what, error.name, error.what()), word);
      return exit_failed;
    } catch (const Stopped&) {  // the agent ends what we may have opened when we are gone
      return ended(CloseCode::operator_);
    }
    return std::nullopt;
  }

  /// @return false: the agent that is there now knows nothing of it
  bool find() {
    if (session_.empty()) return false;
    try {
      id_ = bus_.hold(session_);
      reopening_.on_found();
      return is_found_ = true;
    } catch (const BusError& error) {
      if (!error.name.ends_with(".NotFound") && !error.name.ends_with(".UnknownMethod")) throw;
    }
    session_.clear();
    show_break(agent_gone, "it was lost with the device's service");
    return false;
  }

  /// There is no session at this moment, and there shall be none.
  std::optional<int> ended(CloseCode code) {
    return show({.state = SessionState::closed,
                 .state_word = "closed",
                 .text = std::string{sentence(code)},
                 .code = std::string{to_string(code)},
                 .failed = code == CloseCode::unplugged || code == CloseCode::carrier_lost,
                 .rx_bytes = before_.rx_bytes,
                 .tx_bytes = before_.tx_bytes,
                 .seconds = seconds_since(*first_established_)});
  }

  void ask_to_close(Stop why) {
    if (closing_ || why == Stop::none) return;
    closing_ = Clock::now() + close_timeout;
    if (arguments_.debug) console_.note("debug: closing");
    bus_.close(id_, close_reason(why));
  }

  void show_raw(const SessionEvent& event) {
    const auto json = json_event(event, arguments_.onsite);
    if (arguments_.debug)
      console_.note(fmt::format("debug: {:.3f} s: {}",
                                std::chrono::duration<double>(Clock::now() - start_).count(),
                                json));
    if (console_.json()) console_.print(json);
  }

  Console& console_;
  const MasterdevArguments& arguments_;
  StopSignals stop_;
  DeviceBus bus_;
  SessionView view_;
  std::string mode_ = arguments_.mode;  ///< switched by anybody
  bool must_confirm_ = false;           ///< also when it is opened anew meanwhile
  ModeQuestion question_{console_, [this] { bus_.confirm_mode(); }};
  Reopening reopening_;
  const Clock::time_point start_ = Clock::now();
  static constexpr std::uint64_t no_session = 0;  // agents count from 1
  std::uint64_t id_ = no_session;
  std::optional<Clock::time_point> first_established_;
  std::string session_;        // the server's number of it; "": there is none any more
  bool is_found_ = false;      // at another agent, and not established there yet
  bool is_continued_ = false;  // another one has taken its place
  struct {
    std::uint64_t rx_bytes = 0, tx_bytes = 0;
  } before_;                                  // of sessions that this one took the place of
  std::optional<Clock::time_point> closing_;  // when we stop waiting for "closed"
};

}  // namespace

int hold_session(Console& console, const MasterdevArguments& arguments, const std::string& what) {
  return Holder{console, arguments}.run(what);
}

}  // namespace device::cli
