#include "netd/uplink_keeper.hpp"
#include "netd/uplink_policy.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace std::chrono_literals;
using device::Clock;
using device::is_meant;
using device::UplinkPolicy;

const Clock::time_point t0{1000s};

/// A policy that returns after 60 s, with eth0 before wlan0 before wwan0, all usable.
struct Three {
  Three() { policy.on_usable({"eth0", "wlan0", "wwan0"}, t0); }
  /// The server answers by `name` every 5 s from `from` to `to`.
  void answers(const std::string& name, Clock::duration from, Clock::duration to) {
    for (auto at = from; at <= to; at += 5s)
      policy.on_answer(name, t0 + at);
  }
  UplinkPolicy policy{60s};
};

BOOST_AUTO_TEST_SUITE(uplink_policy)

BOOST_AUTO_TEST_CASE(the_best_usable_one_is_chosen_at_once) {
  UplinkPolicy policy{60s};
  policy.on_usable({}, t0);
  BOOST_TEST(policy.active() == "");
  policy.on_usable({"wlan0", "wwan0"}, t0);
  BOOST_TEST(policy.active() == "wlan0");
}

BOOST_AUTO_TEST_CASE(one_that_is_lost_is_left_at_once) {
  Three uplinks;
  uplinks.policy.on_usable({"wlan0", "wwan0"}, t0 + 1s);
  BOOST_TEST(uplinks.policy.active() == "wlan0");
  uplinks.policy.on_usable({}, t0 + 2s);
  BOOST_TEST(uplinks.policy.active() == "");
}

BOOST_AUTO_TEST_CASE(a_successor_that_is_known_to_be_silent_comes_last) {
  Three uplinks;
  uplinks.policy.on_silence("wlan0", t0);
  uplinks.policy.on_usable({"wlan0", "wwan0"}, t0 + 1s);
  BOOST_TEST(uplinks.policy.active() == "wwan0");
}

BOOST_AUTO_TEST_CASE(a_better_one_must_answer_for_a_minute_before_we_return) {
  Three uplinks;
  uplinks.policy.on_usable({"wlan0", "wwan0"}, t0 + 1s);
  uplinks.policy.on_usable({"eth0", "wlan0", "wwan0"}, t0 + 5s);
  BOOST_TEST(uplinks.policy.active() == "wlan0");
  uplinks.answers("eth0", 10s, 65s);
  BOOST_TEST(uplinks.policy.active() == "wlan0");
  uplinks.answers("eth0", 70s, 70s);
  BOOST_TEST(uplinks.policy.active() == "eth0");
}

BOOST_AUTO_TEST_CASE(a_gap_a_silence_or_a_loss_begins_the_minute_anew) {
  for (int kind = 0; kind < 3; ++kind) {
    Three uplinks;
    auto& policy = uplinks.policy;
    policy.on_usable({"wlan0"}, t0);
    policy.on_usable({"eth0", "wlan0"}, t0);
    uplinks.answers("eth0", 0s, 55s);
    if (kind == 0) policy.on_silence("eth0", t0 + 56s);
    if (kind == 1) policy.on_usable({"wlan0"}, t0 + 56s);
    if (kind == 1) policy.on_usable({"eth0", "wlan0"}, t0 + 57s);
    const auto again = kind == 2 ? 55s + UplinkPolicy::answers_apart_max + 1s : 58s;
    uplinks.answers("eth0", again, again + 55s);
    BOOST_TEST(policy.active() == "wlan0", kind);
    uplinks.answers("eth0", again + 60s, again + 60s);
    BOOST_TEST(policy.active() == "eth0", kind);
  }
}

BOOST_AUTO_TEST_CASE(a_silent_server_moves_us_only_to_where_it_answers) {
  Three uplinks;
  auto& policy = uplinks.policy;
  policy.on_silence("eth0", t0);
  BOOST_TEST(policy.active() == "eth0");  // it may be the server that is away
  policy.on_silence("wlan0", t0 + 2s);
  BOOST_TEST(policy.active() == "eth0");
  policy.on_answer("wwan0", t0 + 2s);
  BOOST_TEST(policy.active() == "wwan0");
}

BOOST_AUTO_TEST_CASE(an_answer_of_long_ago_proves_nothing) {
  Three uplinks;
  uplinks.policy.on_answer("wlan0", t0);
  uplinks.policy.on_silence("eth0", t0 + UplinkPolicy::answer_is_fresh + 1s);
  BOOST_TEST(uplinks.policy.active() == "eth0");
  uplinks.policy.on_answer("wlan0", t0 + 20s);
  BOOST_TEST(uplinks.policy.active() == "wlan0");
}

BOOST_AUTO_TEST_CASE(a_return_that_was_too_early_is_tried_later_the_next_time) {
  Three uplinks;
  auto& policy = uplinks.policy;
  policy.on_silence("eth0", t0);
  policy.on_answer("wlan0", t0);
  Clock::duration at = 0s;
  for (const auto wait : {60s, 120s, 240s}) {
    BOOST_TEST((policy.return_after("eth0") == wait));
    uplinks.answers("eth0", at + 5s, at + 5s + wait - 5s);
    BOOST_TEST(policy.active() == "wlan0");
    at += 5s + wait;
    uplinks.answers("eth0", at, at);
    BOOST_TEST(policy.active() == "eth0");
    policy.on_silence("eth0", t0 + at + 1s);
    policy.on_answer("wlan0", t0 + at + 1s);
    BOOST_TEST(policy.active() == "wlan0");
  }
}

BOOST_AUTO_TEST_CASE(a_return_that_held_is_forgotten) {
  Three uplinks;
  auto& policy = uplinks.policy;
  const auto fail = [&](Clock::duration at) {
    policy.on_silence("eth0", t0 + at);
    policy.on_answer("wlan0", t0 + at);
  };
  fail(0s);
  uplinks.answers("eth0", 5s, 65s);
  fail(66s);  // too early: 2 min from now on
  BOOST_TEST((policy.return_after("eth0") == 120s));
  uplinks.answers("eth0", 70s, 190s);
  BOOST_TEST(policy.active() == "eth0");
  uplinks.answers("eth0", 190s + UplinkPolicy::proven_after, 190s + UplinkPolicy::proven_after);
  BOOST_TEST((policy.return_after("eth0") == 60s));
}

BOOST_AUTO_TEST_CASE(the_wait_for_a_return_has_an_end) {
  Three uplinks;
  auto& policy = uplinks.policy;
  Clock::duration at = 0s;
  for (int i = 0; i < 12; ++i) {
    policy.on_silence("eth0", t0 + at);
    policy.on_answer("wlan0", t0 + at);
    const auto wait = policy.return_after("eth0");
    BOOST_TEST((wait <= UplinkPolicy::return_after_max));
    uplinks.answers("eth0", at + 5s, at + 5s + wait);
    BOOST_TEST(policy.active() == "eth0");
    at += 10s + wait;
  }
  BOOST_TEST((policy.return_after("eth0") == UplinkPolicy::return_after_max));
}

BOOST_AUTO_TEST_CASE(what_is_no_uplink_is_passed_over) {
  Three uplinks;
  uplinks.policy.on_answer("lo", t0);
  uplinks.policy.on_silence("nonsense", t0);
  BOOST_TEST(uplinks.policy.active() == "eth0");
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i)
    many.push_back("eth" + std::to_string(i + 10));
  uplinks.policy.on_usable(many, t0);
  uplinks.policy.on_silence("eth10", t0);
  uplinks.policy.on_answer("eth99", t0);
  BOOST_TEST(uplinks.policy.active() == "eth10");  // it is beyond the limit
}

BOOST_AUTO_TEST_CASE(entries_are_kinds_or_names) {
  BOOST_TEST(is_meant("eth", "enp3s0", "lan"));
  BOOST_TEST(!is_meant("eth", "wlan0", "wlan"));
  BOOST_TEST(is_meant("wwan", "ppp0", "wwan"));
  BOOST_TEST(!is_meant("wlan", "eth0", "lan"));
  BOOST_TEST(is_meant("en*", "enp3s0", "lan"));
  BOOST_TEST(is_meant("eth1", "eth1", "lan"));
  BOOST_TEST(!is_meant("eth1", "eth10", "lan"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
