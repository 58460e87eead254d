#define BOOST_TEST_MODULE device_resume_time
#include "device_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace tunnel;
using namespace tunnel::core;
using namespace tunnel::core::test;

BOOST_AUTO_TEST_CASE(an_attempt_whose_leg_is_lost_is_made_again_after_a_growing_pause) {
  for (const std::uint64_t random : {std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()}) {
    Device device{Role::onsite};
    device.random = random;
    device.establish();
    auto now = later;
    BOOST_TEST(sent<wire::Resume>(lose(device, now)));
    std::uint32_t epoch = 2;
    for (const auto ceiling : {200ms, 500ms, 1000ms, 1000ms, 1000ms, 2000ms, 4000ms, 4000ms}) {
      device.control.on_message(device.regranted(epoch++), now);
      const auto actions = lose(device, now);
      BOOST_REQUIRE(find<SessionInterrupted>(actions));
      BOOST_TEST(find<SessionInterrupted>(actions)->again);
      BOOST_TEST(!sent<wire::Resume>(actions));
      const auto pause = device.control.next_deadline() - now;
      BOOST_TEST((pause >= ceiling / 2 && pause <= ceiling));
      now += pause;
      BOOST_TEST(device.control.on_deadline(now - 1ms).empty());
      BOOST_REQUIRE(sent<wire::Resume>(device.control.on_deadline(now)));
    }
  }
}

BOOST_AUTO_TEST_CASE(no_minute_has_more_resumes_than_the_server_takes) {
  for (const bool flaps : {false, true}) {  // the legs alone, or the control connection too
    Device device{Role::master};
    const auto id = device.establish();
    std::vector<Clock::time_point> sent_at;
    auto now = later;
    std::uint32_t epoch = 2;
    const auto note = [&](const ControlActions& actions) {
      if (sent<wire::Resume>(actions)) sent_at.push_back(now);
    };
    note(lose(device, now));
    for (int step = 0; step < 20'000; ++step, now += 20ms) {
      note(device.control.on_deadline(now));
      if (flaps && step % 25 == 0) {
        go_offline(device, now);
        note(come_back(device, now));
      }
      if (state_of(device) != State::resuming) continue;
      device.control.on_message(device.regranted(epoch++), now);
      if (flaps) device.control.on_established(id, now);
      note(lose(device, now));
    }
    BOOST_TEST(sent_at.size() > 60U);
    for (std::size_t i = wire::resumes_per_minute_max; i < sent_at.size(); ++i)
      BOOST_REQUIRE((sent_at[i] - sent_at[i - wire::resumes_per_minute_max] > 1min));
  }
}

BOOST_AUTO_TEST_CASE(a_leg_that_is_lost_as_soon_as_it_is_there_does_not_make_us_hurry) {
  Device device{Role::onsite};
  const auto id = device.establish();
  lose(device);
  device.control.on_message(device.regranted(2), later);
  device.control.on_established(id, later);
  BOOST_TEST(!sent<wire::Resume>(lose(device, later + 100ms)));
  device.control.on_deadline(later + 1s);
  device.control.on_message(device.regranted(3), later + 1s);
  device.control.on_established(id, later + 1s);
  BOOST_TEST(sent<wire::Resume>(lose(device, later + 1s + DeviceSession::steady_after)));
}

BOOST_AUTO_TEST_CASE(an_attempt_that_does_not_come_up_in_time_is_given_up_and_made_again) {
  Device device{Role::master};
  device.establish();
  lose(device);
  device.control.on_message(device.regranted(2), later);
  const auto deadline = later + DeviceSession::establish_timeout;
  BOOST_CHECK(device.control.next_deadline() == deadline);
  const auto actions = device.control.on_deadline(deadline);
  BOOST_REQUIRE(find<SessionInterrupted>(actions));
  BOOST_TEST(find<SessionInterrupted>(actions)->again);
  BOOST_TEST(sent<wire::Resume>(device.control.on_deadline(deadline + 1s))->epoch == 3U);
}

BOOST_AUTO_TEST_CASE(a_resume_without_an_answer_is_said_again) {
  Device device{Role::onsite};
  device.establish();
  const auto first = *sent<wire::Resume>(lose(device));
  BOOST_TEST(device.control.on_deadline(later + wire::resume_again - 1ms).empty());
  const auto again = device.control.on_deadline(later + wire::resume_again);
  BOOST_REQUIRE(sent<wire::Resume>(again));
  BOOST_CHECK(sent<wire::Resume>(again)->nonce != first.nonce);
  BOOST_TEST(sent<wire::Resume>(again)->epoch == first.epoch);
}

BOOST_AUTO_TEST_CASE(an_interrupted_session_is_kept_for_10_minutes_and_no_longer) {
  for (const bool online : {true, false}) {
    Device device{Role::master};
    device.establish();
    if (!online) go_offline(device, later);
    lose(device);
    auto now = later;
    while (now < later + wire::resume_grace - 1s) {
      now += 1s;
      BOOST_REQUIRE(!find<SessionOver>(device.control.on_deadline(now)));
    }
    const auto actions = device.control.on_deadline(later + wire::resume_grace);
    BOOST_REQUIRE(find<SessionOver>(actions));
    const auto& end = find<SessionOver>(actions)->end;
    BOOST_TEST(end.code == (online ? "peer_lost" : "network"));
    BOOST_TEST(end.text.find("did not come back within 10 minutes") != std::string::npos);
    BOOST_TEST((sent<wire::Close>(actions) != nullptr) == online);
  }
}

BOOST_AUTO_TEST_CASE(attempts_that_fail_do_not_prolong_the_grace) {
  Device device{Role::master};
  device.establish();
  lose(device);
  auto now = later;
  std::uint32_t epoch = 2;
  bool over = false;
  for (int i = 0; i < 2000 && !over; ++i) {
    now += 1s;
    auto actions = device.control.on_deadline(now);
    over = find<SessionOver>(actions) != nullptr;
    if (!over && state_of(device) == State::resuming) {
      device.control.on_message(device.regranted(epoch++), now);
      lose(device, now);
    }
  }
  BOOST_TEST(over);
  BOOST_TEST((now - later <= wire::resume_grace + DeviceSession::establish_timeout));
}

BOOST_AUTO_TEST_CASE(the_time_limit_ends_an_interrupted_session) {
  Device device{Role::master};  // 3600 s
  device.establish();
  const auto lost = t0 + 3595s;
  lose(device, lost);
  BOOST_TEST(!find<SessionOver>(device.control.on_deadline(t0 + 3599s)));
  const auto actions = device.control.on_deadline(t0 + 3600s);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "time_limit");
  BOOST_TEST(!find<SessionOver>(actions)->end.failed);
}

BOOST_AUTO_TEST_CASE(no_grant_puts_off_the_time_limit) {
  Device device{Role::master};
  device.establish();
  lose(device);
  auto grant = device.grant();
  grant.epoch = 2;
  grant.seconds = 7200;
  auto actions = device.control.on_message(device.granted(grant), later);
  BOOST_REQUIRE(find<StartSession>(actions));
  BOOST_CHECK(find<StartSession>(actions)->ends == t0 + 3600s);
  lose(device);
  device.control.on_deadline(later + 1s);
  actions = device.control.on_message(device.regranted(3), later + 1s);  // 1800 s
  BOOST_CHECK(find<StartSession>(actions)->ends == later + 1801s);
}

BOOST_AUTO_TEST_CASE(a_session_whose_epochs_are_used_up_ends) {
  Device device{Role::master};
  device.establish();
  lose(device);
  BOOST_REQUIRE(find<StartSession>(device.control.on_message(
      device.regranted(std::numeric_limits<std::uint32_t>::max()), later)));
  lose(device);
  const auto actions = device.control.on_deadline(later + 1s);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "protocol");
}
