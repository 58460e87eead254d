#define BOOST_TEST_MODULE device_pause
#include "device_fixture.hpp"

#include <boost/test/unit_test.hpp>

/// A session whose kernel side is not there for a moment, and one that is older than this process.
using namespace tunnel;
using namespace tunnel::core;
using namespace tunnel::core::test;

namespace {

ControlActions pause(Device& device, Clock::time_point now = later) {
  return device.control.pause(device.control.session()->id(), CloseCode::kernel, "netd", now);
}
ControlActions go_on(Device& device, Clock::time_point now) {
  return device.control.go_on(device.control.session()->id(), now);
}

/// Another process in its place, offline, with session 77 of epoch `epoch`.
void take_over(Device& device, std::uint32_t epoch = 1) {
  auto grant = device.grant();
  grant.epoch = epoch;
  device.control.adopt(5, {.grant = grant, .ends = later + 1h}, later);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_paused_session_is_interrupted_and_asks_for_no_legs_until_it_goes_on) {
  for (const auto role : roles) {
    Device device{role};
    device.establish();
    const auto paused = pause(device);
    BOOST_REQUIRE(find<SessionInterrupted>(paused));
    BOOST_TEST(find<SessionInterrupted>(paused)->why.code == "kernel");
    BOOST_TEST(!sent<wire::Resume>(paused));
    BOOST_TEST(!sent<wire::Close>(paused));
    BOOST_TEST(device.control.session()->is_paused());
    BOOST_TEST(device.control.on_message(interrupted(2), later + 1s).empty());
    BOOST_TEST(device.control.on_deadline(later + 1min).empty());
    go_offline(device, later + 1min);
    BOOST_TEST(!sent<wire::Resume>(come_back(device, later + 2min)));
    BOOST_TEST(pause(device, later + 2min).empty());  // it is

    const auto resumed = go_on(device, later + 2min);
    BOOST_REQUIRE(sent<wire::Resume>(resumed));
    BOOST_TEST(sent<wire::Resume>(resumed)->epoch == 2U);
    BOOST_TEST(go_on(device, later + 2min).empty());
    BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(2), later + 3min)));
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_goes_on_while_offline_asks_after_its_next_welcome) {
  Device device{Role::onsite};
  device.establish();
  pause(device);
  go_offline(device, later);
  BOOST_TEST(go_on(device, later + 1s).empty());
  BOOST_TEST(sent<wire::Resume>(come_back(device, later + 2s)));
}

BOOST_AUTO_TEST_CASE(a_pause_withdraws_a_resume_and_a_grant_that_is_on_its_way) {
  for (const auto role : roles) {
    Device device{role};
    device.establish();
    lose(device);
    const auto answer = device.regranted(2);
    BOOST_TEST(pause(device).empty());  // people know already that it is interrupted
    BOOST_TEST(device.control.on_message(answer, later + 1s).empty());
    const auto resumed = go_on(device, later + 2s);
    BOOST_REQUIRE(sent<wire::Resume>(resumed));
    BOOST_CHECK(sent<wire::Resume>(resumed)->nonce !=
                (role == Role::master ? device.grant().onsite_nonce : device.grant().master_nonce));

    // A leg that is being made is given up, too.
    device.control.on_message(device.regranted(3), later + 3s);
    const auto again = pause(device, later + 4s);
    BOOST_REQUIRE(find<SessionInterrupted>(again));
    BOOST_TEST(find<SessionInterrupted>(again)->again);
    BOOST_TEST(sent<wire::Resume>(go_on(device, later + 5s))->epoch == 4U);
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_was_never_established_is_not_paused_but_over) {
  Device device{Role::master};
  device.go_online();
  device.control.on_message(device.granted(device.grant(), device.open()), t0);
  const auto actions = pause(device, t0 + 1s);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "kernel");
}

BOOST_AUTO_TEST_CASE(a_pause_puts_nothing_off) {
  for (const auto& [ends, code] : {std::pair{30min, "peer_lost"}, {5min, "time_limit"}}) {
    Device device{Role::master};
    device.go_online();
    auto grant = device.grant();
    const auto request = device.open();
    grant = device.grant();
    grant.seconds = static_cast<std::uint32_t>(std::chrono::seconds{ends}.count());
    device.control.on_message(device.granted(grant, request), t0);
    device.control.on_established(1, t0);
    pause(device, t0 + 1s);
    const auto at = device.control.next_deadline();
    BOOST_CHECK((at == t0 + std::min<Clock::duration>(ends, wire::resume_grace + 1s)));
    BOOST_TEST(find<SessionOver>(device.control.on_deadline(at))->end.code == code);
  }
}

BOOST_AUTO_TEST_CASE(what_ends_a_session_ends_a_paused_one) {
  Device device{Role::master};
  const auto id = device.establish();
  pause(device);
  const auto actions = device.control.end(id, CloseCode::operator_, "");
  BOOST_TEST(find<SessionOver>(actions));
  BOOST_CHECK(sent<wire::Close>(actions)->code == CloseCode::operator_);
}

BOOST_AUTO_TEST_CASE(a_session_of_an_earlier_process_is_named_and_resumed_with_the_next_epoch) {
  for (const auto role : roles) {
    Device device{role};
    take_over(device, 3);
    BOOST_TEST(device.control.session()->session() == 77U);
    BOOST_TEST(device.control.session()->peer().str() ==
               (role == Role::master ? "rpi1100" : "master1"));
    BOOST_TEST(to_string(state_of(device)) == "interrupted");
    const auto hello = device.control.on_connected({});
    BOOST_TEST((sent<wire::Hello>(hello)->sessions == std::vector<std::uint64_t>{77}));
    BOOST_TEST(!sent<wire::Resume>(device.control.on_message(device.welcome(), later)));

    const auto resumed = go_on(device, later);
    BOOST_REQUIRE(sent<wire::Resume>(resumed));
    BOOST_TEST(sent<wire::Resume>(resumed)->epoch == 4U);
    const auto started = device.control.on_message(device.regranted(4), later + 1s);
    BOOST_REQUIRE(find<StartSession>(started));
    BOOST_TEST(find<StartSession>(started)->id == 5U);
    BOOST_CHECK((find<StartSession>(started)->ends == later + 1s + 1800s));
  }
}

BOOST_AUTO_TEST_CASE(a_session_of_an_earlier_process_that_is_over_ends_with_the_servers_word) {
  Device device{Role::onsite};
  take_over(device);
  device.control.on_connected({});
  device.control.on_message(device.welcome(), later);
  const auto over = device.control.on_message(
      wire::Close{.session = 77, .code = CloseCode::administrator, .text = ""}, later);
  BOOST_TEST(find<SessionOver>(over)->end.code == "administrator");
  BOOST_TEST(!device.control.session());
}
