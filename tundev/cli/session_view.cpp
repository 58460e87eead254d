#include "cli/session_view.hpp"

#include "cli/mode_text.hpp"
#include "cli/text.hpp"

#include <fmt/format.h>

#include <utility>

namespace device::cli {
namespace {

/// A sentence as part of ours: without its full stop.
std::string_view without_stop(std::string_view sentence) {
  while (sentence.ends_with('.') || sentence.ends_with(' '))
    sentence.remove_suffix(1);
  return sentence;
}

/// "10 min", "45 s": a limit, not a length that was measured.
std::string format_limit(std::uint64_t seconds) {
  return seconds % 60 == 0 && seconds != 0 ? fmt::format("{} min", seconds / 60)
                                           : format_duration(seconds);
}

}  // namespace

SessionView::Answer SessionView::on_event(const SessionEvent& event, tunnel::UnixSeconds now) {
  switch (event.state) {
    case SessionState::waiting: return on_waiting(event);
    case SessionState::opening:
      last_waiting_.clear();
      if (std::exchange(opening_, true) || established_) return {};
      return {.line = "opening..."};
    case SessionState::established: return on_established(event, now);
    case SessionState::interrupted: return on_interrupted(event, now);
    case SessionState::switching: return on_switching(event);
    case SessionState::confirmed: return {.line = fmt::format("mode {} stays", event.mode)};
    case SessionState::warning: return {.warning = event.text};
    case SessionState::closed: return on_closed(event);
    case SessionState::unknown: return {};  // a newer agent; it is shown with -d and --json
  }
  return {};
}

SessionView::Answer SessionView::on_waiting(const SessionEvent& event) {
  opening_ = false;
  std::string text{without_stop(event.text)};
  if (text.empty()) text = fmt::format("{} cannot be reached now", onsite_);
  if (text == last_waiting_) return {};
  last_waiting_ = text;
  return {.line = fmt::format("{}: waiting for it; Ctrl-C to stop", text)};
}

SessionView::Answer SessionView::on_interrupted(const SessionEvent& event,
                                                tunnel::UnixSeconds now) {
  const bool again = std::exchange(interrupted_, true);
  if (again && !event.anew) return {};
  auto line = fmt::format("{} {}: {}; {}", format_clock(now), again ? "not resumed" : "interrupted",
                          without_stop(event.text.empty() ? event.code : event.text),
                          event.anew ? "opening it anew" : "trying to resume");
  if (event.up_to_seconds != 0)
    line += fmt::format(" (up to {})", format_limit(event.up_to_seconds));
  return {.line = line};
}

SessionView::Answer SessionView::on_established(const SessionEvent& event,
                                                tunnel::UnixSeconds now) {
  opening_ = interrupted_ = false;
  established_ = true;
  Answer answer{.line = established_line(event, now)};
  if (event.confirm_seconds > 0)
    (event.enter ? answer.prompt : answer.warning) =
        confirm_notice(event.mode, event.confirm_seconds, event.enter);
  return answer;
}

SessionView::Answer SessionView::on_switching(const SessionEvent& event) {
  last_waiting_.clear();
  auto line = event.text.empty()
                  ? fmt::format("switching to mode {}", event.mode)
                  : fmt::format("back to mode {}: {}", event.mode, without_stop(event.text));
  if (event.rx_bytes + event.tx_bytes != 0)
    line += fmt::format("; {}", format_traffic(event.rx_bytes, event.tx_bytes, event.seconds));
  return {.line = line};
}

std::string SessionView::established_line(const SessionEvent& event,
                                          tunnel::UnixSeconds now) const {
  if (event.resumed || event.anew)
    return fmt::format("{} {} after {:.1f} s", format_clock(now),
                       event.anew ? "established anew" : "resumed", event.interrupted_ms / 1000);
  auto line = fmt::format("established{}: {}", event.mode == "L2" ? " in mode L2" : "",
                          event.peer.empty() ? onsite_ : event.peer);
  if (!event.hostname.empty()) line += fmt::format(" ({})", event.hostname);
  if (!event.lan.empty()) line += fmt::format(", LAN {}", event.lan);
  if (!event.dns.empty()) line += fmt::format(", DNS {}", fmt::join(event.dns, " "));
  if (event.open_ms) line += fmt::format(", after {:.3f} s", *event.open_ms / 1000);
  if (event.expires != 0) line += fmt::format(", until {}", format_time(event.expires));
  return line;
}

SessionView::Answer SessionView::on_closed(const SessionEvent& event) {
  const std::string cause{without_stop(event.text.empty() ? event.code : event.text)};
  Answer answer;
  answer.end = End{.exit_code = event.failed ? 1 : 0, .complaint = {}, .code = event.code};
  if (established_)
    answer.line = fmt::format("session closed: {}; {}", cause,
                              format_traffic(event.rx_bytes, event.tx_bytes, event.seconds));
  else if (!event.failed)
    answer.line = fmt::format("session closed: {}", cause);
  if (event.failed)
    answer.end->complaint =
        Complaint{.what = what_failed(), .why = cause, .next = advice_after(event.code, onsite_)};
  return answer;
}

SessionView::Answer SessionView::on_agent_gone() {
  return {.end = End{.exit_code = 1,
                     .complaint = Complaint{.what = what_failed(),
                                            .why = "the device's service stopped",
                                            .next = "see why with: journalctl -u tundev-agent"},
                     .code = "agent_gone"}};
}

SessionView::Answer SessionView::on_close_deadline() {
  return {.end = End{.exit_code = 1,
                     .complaint = Complaint{.what = fmt::format(
                                                "cannot tell how the session to {} ended", onsite_),
                                            .why = "the device's service did not confirm its end",
                                            .next = "see if it is still there with: tundev status"},
                     .code = "no_confirmation"}};
}

std::string SessionView::what_failed() const {
  return established_ ? fmt::format("the session to {} broke off", onsite_)
                      : fmt::format("cannot open a session to {}", onsite_);
}

}  // namespace device::cli
