#define BOOST_TEST_MODULE cli_reopening
#include "cli/reopening.hpp"

#include <boost/test/unit_test.hpp>

using namespace device::cli;
using namespace std::chrono_literals;
using tunnel::Clock;

namespace {

constexpr Clock::time_point t0{100s};

Reopening held() {
  Reopening reopening;
  reopening.on_established(t0);
  return reopening;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_session_that_was_never_up_is_not_opened_anew) {
  Reopening reopening;
  BOOST_TEST(!reopening.on_lost("agent_gone", t0));
  BOOST_TEST(!reopening.is_broken());
}

BOOST_AUTO_TEST_CASE(what_somebody_wanted_is_final) {
  for (const auto* code :
       {"customer", "administrator", "revoked", "unplugged", "carrier_lost", "shutdown",
        "integrity", "protocol", "replaced", "terminal_closed", "a_word_of_the_future"})
    BOOST_TEST(!held().on_lost(code, t0 + 1min), code);
}

BOOST_AUTO_TEST_CASE(a_killed_service_is_waited_for_with_growing_pauses) {
  for (const auto* code : {"agent_gone", "kernel", "peer_lost", "network", "no_echo"}) {
    auto reopening = held();
    auto now = t0 + 1min;
    BOOST_REQUIRE(reopening.on_lost(code, now));
    BOOST_TEST((reopening.next_attempt() == now + 200ms));
    BOOST_REQUIRE(reopening.on_lost("service_unknown", now += 200ms));
    BOOST_TEST((reopening.next_attempt() == now + 400ms));
    BOOST_REQUIRE(reopening.on_lost("not_connected", now += 400ms));
    BOOST_REQUIRE(reopening.on_lost("no_interface", now += 800ms));
    BOOST_REQUIRE(reopening.on_lost("declined", now += 1600ms));
    BOOST_TEST((reopening.next_attempt() == now + Reopening::delay_cap));
    reopening.on_established(now += 2s);
    BOOST_TEST(!reopening.is_broken());
    BOOST_TEST((reopening.broken_for(now) == 5s));
  }
}

BOOST_AUTO_TEST_CASE(a_service_that_is_killed_in_a_long_interruption_is_waited_for_as_well) {
  auto reopening = held();
  reopening.on_interrupted(t0 + 1min);
  BOOST_REQUIRE(reopening.on_lost("agent_gone", t0 + 2min));
  BOOST_TEST(reopening.on_lost("service_unknown", t0 + 2min + 9s));
  BOOST_TEST(!reopening.on_lost("service_unknown", t0 + 2min + 10s));
}

BOOST_AUTO_TEST_CASE(a_session_that_is_found_at_the_next_agent_was_broken_all_the_time) {
  auto reopening = held();
  BOOST_REQUIRE(reopening.on_lost("agent_gone", t0 + 1min));
  reopening.hurry(t0 + 1min + 50ms);
  BOOST_TEST((reopening.next_attempt() == t0 + 1min + 50ms));
  reopening.on_found();
  BOOST_TEST(!reopening.is_broken());
  BOOST_TEST((reopening.broken_for(t0 + 1min + 2s) == 2s));
  BOOST_TEST(reopening.on_lost("peer_lost", t0 + 1min + 3s));  // found, and lost after all
  BOOST_TEST((reopening.broken_for(t0 + 1min + 4s) == 4s));
}

BOOST_AUTO_TEST_CASE(an_attempt_that_is_refused_for_good_ends_it) {
  for (const auto* code :
       {"not_allowed", "mode_unsupported", "revoked", "denied", "unknown_device", "limit"}) {
    auto reopening = held();
    BOOST_REQUIRE(reopening.on_lost("peer_lost", t0 + 1min));
    BOOST_TEST(!reopening.on_lost(code, t0 + 61s), code);
  }
}

BOOST_AUTO_TEST_CASE(a_service_that_stays_away_was_stopped) {
  auto reopening = held();
  BOOST_REQUIRE(reopening.on_lost("agent_gone", t0 + 1min));
  BOOST_TEST(reopening.on_lost("service_unknown", t0 + 1min + 9s));
  BOOST_TEST(!reopening.on_lost("service_unknown", t0 + 1min + Reopening::service_back_within));
}

BOOST_AUTO_TEST_CASE(it_is_given_up_after_ten_minutes_the_agents_own_trying_included) {
  auto reopening = held();
  reopening.on_interrupted(t0 + 1min);
  auto late = reopening;
  BOOST_TEST(reopening.on_lost("peer_lost", t0 + 10min + 59s));
  BOOST_TEST(!late.on_lost("peer_lost", t0 + 11min));
}

BOOST_AUTO_TEST_CASE(a_session_that_breaks_again_at_once_does_not_begin_a_new_story) {
  auto reopening = held();
  auto now = t0 + 1min;
  int opened = 0;
  while (reopening.on_lost("kernel", now) && opened < 1000) {
    ++opened;
    reopening.on_established(now = reopening.next_attempt() + 1s);
    now += 1s;
  }
  BOOST_TEST(opened > 100);
  BOOST_TEST(opened < 300);
  BOOST_TEST((now - t0 < 12min));
}

BOOST_AUTO_TEST_CASE(a_session_that_held_begins_a_new_story) {
  auto reopening = held();
  auto now = t0;
  for (int i = 0; i < 20; ++i) {
    now += 5min;
    BOOST_REQUIRE(reopening.on_lost("kernel", now));
    BOOST_TEST((reopening.next_attempt() == now + Reopening::first_delay));
    reopening.on_established(now += 1s);
  }
}
