#define BOOST_TEST_MODULE cli_session_view
#include "cli/json.hpp"
#include "cli/mode_text.hpp"
#include "cli/session_view.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>

using namespace device::cli;

namespace {

constexpr tunnel::UnixSeconds noon = 1768392000 - 1768392000 % 86400 + 12 * 3600;

/// Local time is UTC here.
struct Utc {
  Utc() { ::setenv("TZ", "UTC", 1); }
} const utc;

SessionEvent waiting(const std::string& text) {
  return {.state = SessionState::waiting, .reason = "offline", .text = text};
}
SessionEvent opening() {
  return {.state = SessionState::opening, .state_word = "opening"};
}
SessionEvent established() {
  return {.state = SessionState::established,
          .state_word = "established",
          .session = "00000000000000ff",
          .peer = "rpi1100",
          .hostname = "boiler",
          .lan = "192.168.1.10/24",
          .dns = {"192.168.1.1"},
          .echo_ms = 12,
          .open_ms = 43};
}
SessionEvent interrupted(const std::string& text) {
  return {.state = SessionState::interrupted,
          .state_word = "interrupted",
          .text = text,
          .up_to_seconds = 600,
          .code = "network"};
}
SessionEvent resumed(double after_ms) {
  auto event = established();
  event.resumed = true;
  event.interrupted_ms = after_ms;
  return event;
}
SessionEvent closed(const std::string& code, const std::string& text, bool failed) {
  return {.state = SessionState::closed,
          .state_word = "closed",
          .text = text,
          .code = code,
          .failed = failed,
          .rx_bytes = 12'300'000,
          .tx_bytes = 1'200'000,
          .seconds = 250};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_session_is_told_from_waiting_to_its_end) {
  SessionView view{"rpi1100"};
  BOOST_TEST(view.on_event(waiting("rpi1100 is offline since 2026-01-14 09:12 UTC."), noon).line ==
             "rpi1100 is offline since 2026-01-14 09:12 UTC: waiting for it; Ctrl-C to stop");
  BOOST_TEST(view.on_event(opening(), noon).line == "opening...");
  BOOST_TEST(view.on_event(established(), noon).line ==
             "established: rpi1100 (boiler), LAN 192.168.1.10/24, DNS 192.168.1.1, after 0.043 s");
  const auto end = view.on_event(closed("operator", "the engineer ended it", false), noon);
  BOOST_TEST(end.line ==
             "session closed: the engineer ended it; 12.3 MB received, 1.2 MB sent in 4 min 10 s");
  BOOST_REQUIRE(end.end);
  BOOST_TEST(end.end->exit_code == 0);
  BOOST_TEST(!end.end->complaint);
}

BOOST_AUTO_TEST_CASE(the_same_news_is_told_once) {
  SessionView view{"rpi1100"};
  BOOST_TEST(!view.on_event(waiting("it is offline"), noon).line.empty());
  BOOST_TEST(view.on_event(waiting("it is offline"), noon).line.empty());
  BOOST_TEST(!view.on_event(waiting("the server is restarting"), noon).line.empty());
  BOOST_TEST(!view.on_event(opening(), noon).line.empty());
  BOOST_TEST(view.on_event(opening(), noon).line.empty());
}

BOOST_AUTO_TEST_CASE(a_session_that_breaks_is_a_failure_with_advice) {
  SessionView view{"rpi1100"};
  view.on_event(established(), noon);
  const auto end = view.on_event(closed("unplugged", "the laptop's cable is out", true), noon);
  BOOST_TEST(end.line.starts_with("session closed: the laptop's cable is out; 12.3 MB received"));
  BOOST_REQUIRE(end.end && end.end->complaint);
  BOOST_TEST(end.end->exit_code == 1);
  BOOST_TEST(end.end->complaint->what == "the session to rpi1100 broke off");
  BOOST_TEST(end.end->complaint->why == "the laptop's cable is out");
  BOOST_TEST(end.end->complaint->next == "plug the laptop in again, then: masterdev -o rpi1100");
}

BOOST_AUTO_TEST_CASE(a_session_that_never_came_up_was_not_opened) {
  SessionView view{"rpi1100"};
  view.on_event(opening(), noon);
  const auto end = view.on_event(closed("busy", "rpi2000 is on it since 09:12 UTC", true), noon);
  BOOST_TEST(end.line == "");
  BOOST_REQUIRE(end.end && end.end->complaint);
  BOOST_TEST(end.end->complaint->what == "cannot open a session to rpi1100");
  BOOST_TEST(end.end->complaint->why == "rpi2000 is on it since 09:12 UTC");
}

BOOST_AUTO_TEST_CASE(ctrl_c_while_waiting_is_no_failure) {
  SessionView view{"rpi1100"};
  view.on_event(waiting("it is offline"), noon);
  const auto end = view.on_event(closed("operator", "the engineer ended it", false), noon);
  BOOST_TEST(end.line == "session closed: the engineer ended it");
  BOOST_REQUIRE(end.end);
  BOOST_TEST(end.end->exit_code == 0);
}

BOOST_AUTO_TEST_CASE(an_agent_that_vanishes_or_stays_silent_is_a_failure) {
  SessionView view{"rpi1100"};
  view.on_event(established(), noon);
  BOOST_TEST(view.on_agent_gone().end->exit_code == 1);
  BOOST_TEST(view.on_agent_gone().end->complaint->why == "the device's service stopped");
  BOOST_TEST(view.on_close_deadline().end->exit_code == 1);
}

BOOST_AUTO_TEST_CASE(warnings_go_beside_the_result_and_unknown_states_are_ignored) {
  SessionView view{"rpi1100"};
  const auto warned = view.on_event(
      {.state = SessionState::warning, .text = "the laptop's port changed to eth2"}, noon);
  BOOST_TEST(warned.warning == "the laptop's port changed to eth2");
  BOOST_TEST(warned.line == "");
  const auto unknown = view.on_event({.state_word = "dreaming"}, noon);
  BOOST_TEST((unknown.line.empty() && unknown.warning.empty() && !unknown.end));
}

BOOST_AUTO_TEST_CASE(a_second_establishing_is_a_reconnection) {
  SessionView view{"rpi1100"};
  view.on_event(established(), noon);
  BOOST_TEST(view.on_event(opening(), noon).line == "");
  auto again = established();
  again.open_ms.reset();
  again.hostname.clear();
  again.dns.clear();
  BOOST_TEST(view.on_event(again, noon).line == "established: rpi1100, LAN 192.168.1.10/24");
}

BOOST_AUTO_TEST_CASE(an_interruption_and_its_end_are_told_once_with_their_times) {
  SessionView view{"rpi1100"};
  view.on_event(established(), noon);
  BOOST_TEST(view.on_event(interrupted("the connection to the server broke"), noon).line ==
             "12:00:00 interrupted: the connection to the server broke; trying to resume (up to 10 "
             "min)");
  BOOST_TEST(view.on_event(interrupted("the other device no longer answers"), noon).line == "");
  BOOST_TEST(view.on_event(resumed(1800), noon + 2).line == "12:00:02 resumed after 1.8 s");
  auto short_one = interrupted("the connection to the server broke");
  short_one.up_to_seconds = 45;
  BOOST_TEST(view.on_event(short_one, noon + 3).line ==
             "12:00:03 interrupted: the connection to the server broke; trying to resume (up to 45 "
             "s)");
  BOOST_TEST(!view.on_event(closed("peer_lost", "gone", true), noon).line.empty());
}

BOOST_AUTO_TEST_CASE(a_session_that_is_opened_anew_is_told_so) {
  SessionView view{"rpi1100"};
  view.on_event(established(), noon);
  auto gone = interrupted("the device's service stopped");
  gone.anew = true;
  BOOST_TEST(view.on_event(gone, noon).line ==
             "12:00:00 interrupted: the device's service stopped; opening it anew (up to 10 min)");
  auto again = resumed(3210);
  again.anew = true;
  BOOST_TEST(view.on_event(again, noon + 3).line == "12:00:03 established anew after 3.2 s");
  view.on_event(interrupted("the connection to the server broke"), noon + 4);
  BOOST_TEST(view.on_event(gone, noon + 5).line ==
             "12:00:05 not resumed: the device's service stopped; opening it anew (up to 10 min)");
}

BOOST_AUTO_TEST_CASE(programs_read_of_an_interruption_and_its_end) {
  const auto gone =
      nlohmann::json::parse(json_event(interrupted("the connection broke"), "rpi1100"));
  BOOST_TEST(gone["state"] == "interrupted");
  BOOST_TEST(gone["text"] == "the connection broke");
  BOOST_TEST(gone["code"] == "network");
  BOOST_TEST(gone["up_to_seconds"] == 600);
  const auto again = nlohmann::json::parse(json_event(resumed(1800), "rpi1100"));
  BOOST_TEST(again["state"] == "established");
  BOOST_TEST(again["resumed"] == true);
  BOOST_TEST(again["anew"] == false);
  BOOST_TEST(again["interrupted_ms"] == 1800.0);
}

BOOST_AUTO_TEST_CASE(every_event_is_one_json_object_with_its_facts) {
  const auto json = nlohmann::json::parse(json_event(established(), "rpi1100"));
  BOOST_TEST(json["state"] == "established");
  BOOST_TEST(json["onsite"] == "rpi1100");
  BOOST_TEST(json["lan"] == "192.168.1.10/24");
  BOOST_TEST(json["open_ms"] == 43.0);
  const auto end =
      nlohmann::json::parse(json_event(closed("time_limit", "over", false), "rpi1100"));
  BOOST_TEST(end["code"] == "time_limit");
  BOOST_TEST(end["rx_bytes"] == 12'300'000);
  BOOST_TEST(!end.contains("lan"));
}

BOOST_AUTO_TEST_CASE(a_switch_of_the_mode_is_said_with_what_to_do_and_how_it_went) {
  device::cli::SessionView view{"rpi1100"};
  device::cli::SessionEvent event{.state = device::cli::SessionState::switching};
  event.mode = "L2";
  event.rx_bytes = 12'300'000;
  event.tx_bytes = 1'200'000;
  event.seconds = 250;
  BOOST_TEST(view.on_event(event, 0).line ==
             "switching to mode L2; 12.3 MB received, 1.2 MB sent in 4 min 10 s");
  event.rx_bytes = event.tx_bytes = 0;
  event.state = device::cli::SessionState::established;
  event.confirm_seconds = 30;
  const auto established = view.on_event(event, 0);
  BOOST_TEST(established.line.starts_with("established in mode L2: rpi1100"));
  BOOST_TEST(established.warning ==
             "confirm it within 30 s with: masterdev --confirm; otherwise mode L3 comes back");
  BOOST_TEST(established.prompt == "");
  event.enter = true;
  const auto asked = view.on_event(event, 0);
  BOOST_TEST(asked.warning == "");
  BOOST_TEST(asked.prompt ==
             "the mode is L2 now; press Enter within 30 s to keep it, or it returns to L3 by "
             "itself");
  event.state = device::cli::SessionState::confirmed;
  BOOST_TEST(view.on_event(event, 0).line == "mode L2 stays");
  event.state = device::cli::SessionState::switching;
  event.mode = "L3";
  event.text = "nobody confirmed it in time";
  BOOST_TEST(view.on_event(event, 0).line == "back to mode L3: nobody confirmed it in time");
}

BOOST_AUTO_TEST_CASE(who_sits_on_the_laptops_port_over_ssh_is_known) {
  using device::cli::sits_on_port;
  const auto sits = [](const char* connection) {
    return sits_on_port(connection, "usb0", "192.168.38.225/29");
  };
  BOOST_TEST(sits("192.168.38.226 51234 192.168.38.225 22"));
  BOOST_TEST(!sits("192.168.1.5 51234 192.168.1.10 22"));
  BOOST_TEST(!sits("192.168.38.225 51234 192.168.1.10 22"));  // it is the other end
  BOOST_TEST(sits("fe80::2%usb0 51234 fe80::1%usb0 22"));
  BOOST_TEST(!sits("fe80::2%eth0 51234 fe80::1%eth0 22"));
  BOOST_TEST(!sits_on_port("192.168.38.226 51234 192.168.38.225 22", "", ""));
  BOOST_TEST(!sits_on_port("fe80::2% 51234 fe80::1% 22", "", ""));
  for (const auto* broken : {"", " ", "192.168.38.225", "a b 192.168.38.225", "a b c d e"})
    BOOST_TEST(!sits(broken));
}
