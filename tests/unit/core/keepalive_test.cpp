#define BOOST_TEST_MODULE keepalive
#include "core/keepalive.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace tunnel::core {
namespace {

using namespace std::chrono_literals;
using Action = Keepalive::Action;
using State = Keepalive::State;

constexpr Clock::time_point t0{1h};
constexpr Keepalive::Times times{.ping_after = 25s, .give_up_after = 10s};

}  // namespace

BOOST_AUTO_TEST_CASE(a_silent_peer_is_asked_once_and_then_given_up) {
  Keepalive keepalive{times, t0};
  BOOST_TEST((keepalive.on_deadline(t0 + 24s) == Action::none));
  BOOST_TEST((keepalive.on_deadline(t0 + 25s) == Action::send_ping));
  BOOST_TEST((keepalive.on_deadline(t0 + 34s) == Action::none));
  BOOST_TEST((keepalive.on_deadline(t0 + 35s) == Action::close));
  BOOST_TEST((keepalive.state() == State::dead));
}

BOOST_AUTO_TEST_CASE(any_frame_begins_the_silence_anew) {
  Keepalive keepalive{times, t0};
  keepalive.on_received(t0 + 20s);
  BOOST_TEST((keepalive.on_deadline(t0 + 25s) == Action::none));
  BOOST_TEST((keepalive.next_deadline() == t0 + 45s));
  BOOST_TEST((keepalive.on_deadline(t0 + 45s) == Action::send_ping));
  keepalive.on_received(t0 + 54s);
  BOOST_TEST((keepalive.on_deadline(t0 + 55s) == Action::none));
  BOOST_TEST((keepalive.state() == State::alive));
  BOOST_TEST((keepalive.next_deadline() == t0 + 79s));
}

BOOST_AUTO_TEST_CASE(a_machine_that_slept_asks_before_it_gives_up) {
  Keepalive keepalive{times, t0};
  BOOST_TEST((keepalive.on_deadline(t0 + 8h) == Action::send_ping));
  BOOST_TEST((keepalive.on_deadline(t0 + 8h + 9s) == Action::none));
  BOOST_TEST((keepalive.on_deadline(t0 + 8h + 10s) == Action::close));
}

BOOST_AUTO_TEST_CASE(a_machine_that_slept_while_it_waited_for_the_answer_asks_again) {
  Keepalive keepalive{times, t0};
  BOOST_TEST((keepalive.on_deadline(t0 + 25s) == Action::send_ping));
  BOOST_TEST((keepalive.on_deadline(t0 + 37s) == Action::send_ping));
  BOOST_TEST((keepalive.next_deadline() == t0 + 47s));
  BOOST_TEST((keepalive.on_deadline(t0 + 48s) == Action::close));
}

BOOST_AUTO_TEST_CASE(the_dead_stay_dead) {
  Keepalive keepalive{times, t0};
  BOOST_TEST((keepalive.on_deadline(t0 + 25s) == Action::send_ping));
  BOOST_TEST((keepalive.on_deadline(t0 + 35s) == Action::close));
  keepalive.on_received(t0 + 36s);
  BOOST_TEST((keepalive.state() == State::dead));
  BOOST_TEST((keepalive.on_deadline(t0 + 100h) == Action::none));
}

BOOST_AUTO_TEST_CASE(until_it_is_dead_no_deadline_lies_in_the_past_of_what_was_said_last) {
  std::mt19937 random{1};
  for (int round = 0; round < 200; ++round) {
    Keepalive keepalive{times, t0};
    auto now = t0;
    while (keepalive.state() != State::dead) {
      now += std::chrono::milliseconds{random() % 20'000};
      if (random() % 3 != 0) keepalive.on_received(now);
      const auto action = keepalive.on_deadline(now);
      if (action == Action::close) break;
      BOOST_TEST((keepalive.next_deadline() > now));
    }
  }
}

}  // namespace tunnel::core
