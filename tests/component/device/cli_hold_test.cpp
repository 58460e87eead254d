#define BOOST_TEST_MODULE cli_hold
// What masterdev shows and does while a session is interrupted, or one of the agents was killed.
#include "component/device/cli_session.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <signal.h>

using namespace device::test;
using nlohmann::json;

BOOST_FIXTURE_TEST_CASE(an_interruption_is_shown_with_times_and_the_session_held, Willing) {
  const Facts broken{{"code", Variant{std::string{"network"}}},
                     {"text", Variant{std::string{"the connection to the server broke"}}},
                     {"up_to_seconds", Variant{std::uint64_t{600}}}};
  auto resumed = established_facts();
  resumed["resumed"] = Variant{true};
  resumed["interrupted_ms"] = Variant{1800.0};

  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  open.line();
  agent->say(id, "interrupted", broken);
  agent->say(id, "established", resumed);
  const auto line = *open.line();
  BOOST_TEST(line.substr(8) ==
             " interrupted: the connection to the server broke; trying to resume (up to 10 min)");
  BOOST_TEST((line[2] == ':' && line[5] == ':'));
  BOOST_TEST(open.line()->substr(8) == " resumed after 1.8 s");
  agent->say(id, "interrupted", broken);
  BOOST_TEST(open.line()->find(" interrupted: ") == 8u);
  open.send(SIGINT);
  BOOST_TEST(open.line()->starts_with("session closed: the engineer ended it; "));
  BOOST_TEST(open.exit_code() == 0);

  Command programs{MASTERDEV, {"-o", "rpi1100", "--json"}};
  programs.line();
  programs.line();
  agent->say(id, "interrupted", broken);
  agent->say(id, "established", resumed);
  const auto interrupted = json::parse(*programs.line());
  BOOST_TEST(interrupted["state"] == "interrupted");
  BOOST_TEST(interrupted["code"] == "network");
  const auto again = json::parse(*programs.line());
  BOOST_TEST(again["state"] == "established");
  BOOST_TEST(again["resumed"] == true);
  BOOST_TEST(again["interrupted_ms"] == 1800.0);
  programs.send(SIGINT);
  BOOST_TEST(programs.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(an_agent_that_dies_before_there_is_a_session_ends_the_command, Willing) {
  agent->on_open = [this](const std::string&, const Facts&) {
    agent->say(id, "opening", {});
    return id;
  };
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  BOOST_TEST(*open.line() == "opening...");
  stop_agent();
  BOOST_TEST(open.exit_code() == 1);
  BOOST_TEST(says(open, "cannot open a session to rpi1100: the device's service stopped"));
}

BOOST_FIXTURE_TEST_CASE(an_agent_that_dies_and_does_not_come_back_ends_the_command, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  stop_agent();
  BOOST_TEST(open.line()->substr(8) ==
             " interrupted: the device's service stopped; trying to resume (up to 10 s)");
  BOOST_TEST(open.exit_code() == 1);  // after Reopening::service_back_within
  BOOST_TEST(says(open, "the session to rpi1100 broke off: the device's service is not running"));
}

BOOST_FIXTURE_TEST_CASE(a_session_is_opened_anew_when_the_agent_was_killed, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100", "-t", "3600"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  stop_agent();
  BOOST_TEST(open.line()->find(" interrupted: the device's service stopped; ") == 8u);
  int asked = 0;
  std::uint32_t seconds = 0;
  start_agent([&](ScriptedAgent& fresh) {
    fresh.on_open = [&](const std::string& onsite, const Facts& options) {
      BOOST_TEST(onsite == "rpi1100");
      if (++asked == 1) throw sdbus::Error{"org.rdv.Error.NotConnected", "not yet"};
      seconds = options.at("seconds").get<std::uint32_t>();
      fresh.say(1, "opening", {});
      fresh.say(1, "established", established_facts());
      return std::uint64_t{1};
    };
    fresh.on_close = [&](std::uint64_t which, const std::string&) {
      fresh.say(which, "closed", closed_facts("operator", "the engineer ended it", false));
    };
  });
  BOOST_TEST(open.line()->find(" not resumed: it was lost with the device's service; opening it "
                               "anew (up to 10 min)") == 8u);
  BOOST_TEST(open.line()->find(" established anew after ") == 8u);
  BOOST_TEST(seconds > 3500U);
  BOOST_TEST(seconds <= 3600U);
  open.send(SIGINT);
  BOOST_TEST(open.line()->starts_with("session closed: the engineer ended it; "));
  BOOST_TEST(open.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_session_goes_on_at_the_agent_that_takes_over, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  stop_agent();
  BOOST_TEST(open.line()->find(" interrupted: the device's service stopped; ") == 8u);
  constexpr std::uint64_t other_id = 1;
  start_agent([&](ScriptedAgent& fresh) {
    fresh.on_hold = [&](const std::string& session) {
      BOOST_TEST(session == "00000000000000ff");
      fresh.say(other_id, "interrupted", {{"code", Variant{std::string{"kernel"}}}});
      auto resumed = established_facts();
      resumed["resumed"] = Variant{true};
      resumed["interrupted_ms"] = Variant{99'000.0};
      fresh.say(other_id, "established", resumed);
      return other_id;
    };
    fresh.on_close = [&](std::uint64_t which, const std::string&) {
      fresh.say(which, "closed", closed_facts("operator", "the engineer ended it", false));
    };
  });
  const auto line = *open.line();
  BOOST_TEST(line.find(" resumed after ") == 8u);
  BOOST_TEST(line.find("99.0 s") == std::string::npos);  // masterdev counts for itself
  open.send(SIGINT);
  BOOST_TEST(open.line()->starts_with("session closed: the engineer ended it; "));
  BOOST_TEST(open.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_session_whose_onsite_was_killed_is_opened_anew, Willing) {
  int asked = 0;
  agent->on_open = [&](const std::string&, const Facts&) {
    const auto number = id + static_cast<std::uint64_t>(asked++);
    agent->say(number, "opening", {});
    if (asked == 2)
      agent->say(number, "closed", closed_facts("declined", "its netd does not run yet", true));
    else
      agent->say(number, "established", established_facts());
    return number;
  };
  Command open{MASTERDEV, {"-o", "rpi1100", "--json"}};
  open.line();
  open.line();
  agent->say(id, "closed", closed_facts("peer_lost", "rpi1100 was restarted", true));
  const auto gone = json::parse(*open.line());
  BOOST_TEST(gone["state"] == "interrupted");
  BOOST_TEST(gone["anew"] == true);
  BOOST_TEST(gone["text"] == "rpi1100 was restarted");
  BOOST_TEST(json::parse(*open.line())["state"] == "opening");  // declined, and again:
  BOOST_TEST(json::parse(*open.line())["state"] == "opening");
  const auto again = json::parse(*open.line());
  BOOST_TEST(again["state"] == "established");
  BOOST_TEST(again["anew"] == true);
  BOOST_TEST(again["interrupted_ms"] >= 600.0);
  open.send(SIGINT);
  const auto closed = json::parse(*open.line());
  BOOST_TEST(closed["rx_bytes"] == 36'900'000);  // of all three
  BOOST_TEST(open.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(the_closing_line_counts_what_was_carried_before_the_mode_changed, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  agent->say(id, "switching",
             {{"mode", Variant{std::string{"L2"}}},
              {"next", Variant{id + 1}},
              {"text", Variant{std::string{}}},
              {"rx_bytes", Variant{std::uint64_t{2'000'000}}},
              {"tx_bytes", Variant{std::uint64_t{1'000'000}}},
              {"seconds", Variant{std::uint64_t{90}}}});
  BOOST_TEST(*open.line() == "switching to mode L2; 2.0 MB received, 1.0 MB sent in 1 min 30 s");
  agent->say(id, "closed", closed_facts("operator", "it goes on in mode L2", false));
  auto in_l2 = established_facts();
  in_l2["mode"] = Variant{std::string{"L2"}};
  agent->say(id + 1, "established", in_l2);
  BOOST_TEST(open.line()->starts_with("established in mode L2: "));
  open.send(SIGINT);
  // 12.3 MB and 1.2 MB since; how long it was masterdev counts for itself.
  BOOST_TEST(open.line()->starts_with(
      "session closed: the engineer ended it; 14.3 MB received, 2.2 MB sent in "));
  BOOST_TEST(open.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(ctrl_c_ends_the_command_while_there_is_no_session, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  open.line();
  stop_agent();
  open.line();
  open.send(SIGINT);
  BOOST_TEST(open.line()->starts_with("session closed: the engineer ended it; "));
  BOOST_TEST(open.exit_code() == 0);
}
