#define BOOST_TEST_MODULE device_resume
#include "device_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel;
using namespace tunnel::core;
using namespace tunnel::core::test;

BOOST_AUTO_TEST_CASE(a_lost_leg_interrupts_the_session_and_new_ones_are_asked_for_at_once) {
  for (const auto role : roles)
    for (const auto code : {CloseCode::network, CloseCode::peer_lost, CloseCode::no_echo}) {
      Device device{role};
      const auto id = device.establish();
      const auto nonces = device.nonces;
      const auto actions = lose(device, later, code);
      BOOST_REQUIRE(find<SessionInterrupted>(actions));
      BOOST_TEST(find<SessionInterrupted>(actions)->id == id);
      BOOST_TEST(find<SessionInterrupted>(actions)->why.code == to_string(code));
      BOOST_TEST(!find<SessionInterrupted>(actions)->again);
      BOOST_REQUIRE(sent<wire::Resume>(actions));
      BOOST_TEST(sent<wire::Resume>(actions)->session == 77U);
      BOOST_TEST(sent<wire::Resume>(actions)->epoch == 2U);
      BOOST_TEST(device.nonces == nonces + 1);
      BOOST_TEST(!find<SessionOver>(actions));
      BOOST_CHECK(state_of(device) == State::resuming);
      BOOST_CHECK(device.control.session()->interrupted_at() == later);
      BOOST_TEST(to_string(state_of(device)) == "interrupted");
    }
}

BOOST_AUTO_TEST_CASE(what_new_legs_cannot_cure_ends_the_session) {
  for (const auto role : roles)
    for (const auto code : {CloseCode::integrity, CloseCode::protocol, CloseCode::kernel,
                            CloseCode::operator_, CloseCode::customer, CloseCode::time_limit,
                            CloseCode::revoked, CloseCode::idle, CloseCode::shutdown}) {
      Device device{role};
      device.establish();
      const auto actions = lose(device, later, code);
      BOOST_TEST(!find<SessionInterrupted>(actions));
      BOOST_REQUIRE(find<SessionOver>(actions));
      BOOST_TEST(find<SessionOver>(actions)->end.code == to_string(code));
      BOOST_REQUIRE(sent<wire::Close>(actions));
      BOOST_CHECK(sent<wire::Close>(actions)->code == code);
    }
}

BOOST_AUTO_TEST_CASE(a_session_that_was_never_established_ends_with_its_leg) {
  for (const auto role : roles) {
    Device device{role};
    device.go_online();
    const auto request = role == Role::master ? device.open() : 0;
    if (role == Role::onsite) device.control.on_message(device.offer(), t0);
    device.control.on_message(device.granted(device.grant(), request), t0);
    const auto actions = lose(device, t0 + 1s);
    BOOST_TEST(!find<SessionInterrupted>(actions));
    BOOST_TEST(find<SessionOver>(actions)->end.code == "network");
    BOOST_TEST(sent<wire::Close>(actions));
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_was_never_established_ends_when_the_server_interrupts_it) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open();
  master.control.on_message(master.granted(master.grant(), request), t0);
  const auto actions = master.control.on_message(interrupted(2), t0 + 1s);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "network");
}

BOOST_AUTO_TEST_CASE(the_loss_of_an_older_leg_or_of_another_session_is_no_news) {
  Device device{Role::master};
  const auto id = device.establish();
  BOOST_TEST(device.control.on_leg_lost(id + 1, 1, CloseCode::network, "", later).empty());
  lose(device);
  BOOST_TEST(lose(device).empty());  // it is known
  device.control.on_message(device.regranted(2), later);
  BOOST_TEST(device.control.on_leg_lost(id, 1, CloseCode::network, "", later).empty());
  BOOST_CHECK(state_of(device) == State::regranted);
  device.control.on_established(id, later);
  BOOST_TEST(device.control.on_leg_lost(id, 1, CloseCode::network, "", later).empty());
  BOOST_CHECK(state_of(device) == State::established);
}

BOOST_AUTO_TEST_CASE(a_grant_for_new_legs_starts_the_same_session_again) {
  for (const auto role : roles) {
    Device device{role};
    const auto id = device.establish();
    lose(device);
    const auto message = device.regranted(2);
    const auto actions = device.control.on_message(message, later + 1s);
    BOOST_REQUIRE(find<StartSession>(actions));
    BOOST_TEST(find<StartSession>(actions)->id == id);
    BOOST_TEST(find<StartSession>(actions)->grant.epoch == 2U);
    BOOST_CHECK(find<StartSession>(actions)->grant_bytes == message.grant);
    BOOST_CHECK(state_of(device) == State::regranted);
    BOOST_TEST(device.control.session()->is_interrupted());
    device.control.on_established(id, later + 2s);
    BOOST_CHECK(state_of(device) == State::established);
    BOOST_TEST(!device.control.session()->is_interrupted());
    BOOST_TEST(device.control.on_deadline(later + 100h).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_session_may_be_interrupted_again_and_again) {
  Device device{Role::onsite};
  const auto id = device.establish();
  auto now = later;
  for (std::uint32_t epoch = 2; epoch < 50; ++epoch, now += 1min) {
    const auto actions = lose(device, now);
    BOOST_REQUIRE(sent<wire::Resume>(actions));  // each is a new trouble: at once
    BOOST_TEST(sent<wire::Resume>(actions)->epoch == epoch);
    BOOST_REQUIRE(find<StartSession>(device.control.on_message(device.regranted(epoch), now)));
    device.control.on_established(id, now);
  }
}

BOOST_AUTO_TEST_CASE(the_server_may_skip_epochs) {
  Device device{Role::master};
  device.establish();
  lose(device);
  BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(9), later)));
  BOOST_TEST(sent<wire::Resume>(lose(device, later + 1min)) == nullptr);  // after a pause
  const auto actions = device.control.on_deadline(later + 2min);
  BOOST_TEST(sent<wire::Resume>(actions)->epoch == 10U);
}

BOOST_AUTO_TEST_CASE(a_grant_of_an_older_epoch_or_nonce_is_not_taken_and_ends_nothing) {
  for (const auto role : roles) {
    Device device{role};
    device.establish();
    lose(device);
    BOOST_TEST(device.control.on_message(device.regranted(1), later).empty());
    const auto stale = device.regranted(2);
    go_offline(device, later);
    come_back(device, later);  // with a fresh nonce
    BOOST_TEST(device.control.on_message(stale, later).empty());
    BOOST_CHECK(state_of(device) == State::resuming);
    BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(2), later)));
  }
}

BOOST_AUTO_TEST_CASE(a_grant_below_the_epoch_that_was_asked_for_is_not_taken) {
  Device device{Role::master};
  device.establish();
  device.control.on_message(interrupted(7), later);
  BOOST_TEST(device.control.on_message(device.regranted(6), later).empty());
  BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(7), later)));
}

BOOST_AUTO_TEST_CASE(a_grant_for_another_kernel_ends_the_session) {
  for (const auto role : roles)
    for (int change = 0; change < 6; ++change) {
      Device device{role};
      device.establish();
      lose(device);
      auto grant = device.grant();
      grant.epoch = 2;
      auto& peer = role == Role::master ? grant.onsite : grant.master;
      switch (change) {
        case 0: peer.key_hash = hash_of(9); break;
        case 1: peer.name = name("thief"); break;
        case 2: grant.tunnel = *Ipv4Prefix::parse("192.168.200.8/30"); break;
        case 3: grant.allow.push_back({.prefix = *Ipv4Prefix::parse("10.0.0.0/8")}); break;
        case 4: grant.mode = wire::Mode::l2; break;
        case 5: device.grants_are_signed = false; break;
      }
      const auto actions = device.control.on_message(device.granted(grant), later);
      BOOST_TEST(!find<StartSession>(actions), "change " << change);
      BOOST_REQUIRE(find<SessionOver>(actions));
      BOOST_TEST(find<SessionOver>(actions)->end.code == "protocol");
      BOOST_TEST(sent<wire::Close>(actions));
    }
}

BOOST_AUTO_TEST_CASE(a_grant_that_was_not_asked_for_changes_nothing) {
  Device device{Role::master};
  device.establish();
  BOOST_TEST(device.control.on_message(device.regranted(2), later).empty());
  BOOST_CHECK(state_of(device) == State::established);
  lose(device);
  auto another = device.grant(78);
  another.epoch = 2;
  const auto actions = device.control.on_message(device.granted(another), later);
  BOOST_TEST(!find<StartSession>(actions));
  BOOST_REQUIRE(sent<wire::Close>(actions));  // the server shall not go on with that one
  BOOST_TEST(sent<wire::Close>(actions)->session == 78U);
  BOOST_CHECK(state_of(device) == State::resuming);
}

BOOST_AUTO_TEST_CASE(a_first_grant_has_the_first_epoch) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open();
  auto grant = master.grant();
  grant.epoch = 2;
  const auto actions = master.control.on_message(master.granted(grant, request), t0);
  BOOST_TEST(!find<StartSession>(actions));
  BOOST_TEST(find<SessionOver>(actions));
}

BOOST_AUTO_TEST_CASE(a_tunnel_that_stands_is_not_asked_for_our_networks_again) {
  Device device{Role::onsite};
  device.establish();
  device.control.set_networks({*Ipv4Prefix::parse("192.168.200.4/30")});  // it is there now
  lose(device);
  BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(2), later)));
}

BOOST_AUTO_TEST_CASE(the_server_tells_that_the_other_leg_is_gone) {
  for (const auto role : roles) {
    Device device{role};
    device.establish();
    BOOST_TEST(device.control.on_message(interrupted(1), later).empty());  // of this leg's past
    BOOST_TEST(
        device.control.on_message(wire::Interrupted{.session = 78, .epoch = 9}, later).empty());
    const auto actions = device.control.on_message(interrupted(4), later);
    BOOST_REQUIRE(find<SessionInterrupted>(actions));
    BOOST_TEST(!find<SessionInterrupted>(actions)->why.text.empty());
    BOOST_REQUIRE(sent<wire::Resume>(actions));
    BOOST_TEST(sent<wire::Resume>(actions)->epoch == 4U);
    // It asked already: nothing, however often it is told.
    BOOST_TEST(device.control.on_message(interrupted(4), later).empty());
    BOOST_TEST(device.control.on_message(interrupted(5), later).empty());
  }
}

BOOST_AUTO_TEST_CASE(an_interruption_that_crosses_our_own_resume_asks_once) {
  Device device{Role::master};
  device.establish();
  BOOST_TEST(sent<wire::Resume>(lose(device)));
  BOOST_TEST(device.control.on_message(interrupted(2), later).empty());
  BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(2), later)));
}

BOOST_AUTO_TEST_CASE(a_resume_that_was_answered_with_another_grant_is_said_again) {
  Device device{Role::master};
  device.establish();
  lose(device);
  const auto stale = device.regranted(2);
  go_offline(device, later);
  come_back(device, later);
  device.control.on_message(stale, later);
  device.control.on_message(interrupted(3), later);
  const auto actions = device.control.on_deadline(later + 1s);
  BOOST_REQUIRE(sent<wire::Resume>(actions));
  BOOST_TEST(sent<wire::Resume>(actions)->epoch == 3U);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_offline_asks_after_its_next_welcome) {
  for (const auto role : roles) {
    Device device{role};
    device.establish();
    go_offline(device, later);
    const auto actions = lose(device);
    BOOST_TEST(find<SessionInterrupted>(actions));
    BOOST_TEST(!sent<wire::Resume>(actions));
    BOOST_CHECK(state_of(device) == State::interrupted);
    BOOST_TEST(device.control.on_deadline(later + 9min).empty());

    const auto hello = device.control.on_connected({});
    BOOST_REQUIRE(sent<wire::Hello>(hello));
    BOOST_TEST(sent<wire::Hello>(hello)->sessions == std::vector<std::uint64_t>{77},
               boost::test_tools::per_element());
    const auto back = device.control.on_message(device.welcome(), later + 9min);
    BOOST_TEST(sent<wire::Resume>(back)->epoch == 2U);
    BOOST_TEST(find<StartSession>(device.control.on_message(device.regranted(2), later + 9min)));
  }
}

BOOST_AUTO_TEST_CASE(a_control_connection_that_breaks_while_resuming_is_no_end) {
  Device device{Role::master};
  device.establish();
  const auto first = *sent<wire::Resume>(lose(device));
  go_offline(device, later + 1s);
  BOOST_CHECK(state_of(device) == State::interrupted);
  const auto back = come_back(device, later + 2s);
  BOOST_REQUIRE(sent<wire::Resume>(back));
  BOOST_CHECK(sent<wire::Resume>(back)->nonce != first.nonce);
}

BOOST_AUTO_TEST_CASE(a_control_connection_that_breaks_leaves_a_running_session_alone) {
  for (const auto role : roles) {
    Device device{role};
    const auto id = device.establish();
    go_offline(device, later);
    const auto hello = device.control.on_connected({});
    BOOST_TEST(sent<wire::Hello>(hello)->sessions.size() == 1U);
    const auto back = device.control.on_message(device.welcome(), later);
    BOOST_TEST(!sent<wire::Resume>(back));
    BOOST_CHECK(state_of(device) == State::established);

    // The same while new legs are made.
    lose(device);
    device.control.on_message(device.regranted(2), later);
    go_offline(device, later);
    BOOST_CHECK(state_of(device) == State::regranted);
    BOOST_TEST(!sent<wire::Resume>(come_back(device, later)));
    device.control.on_established(id, later);
    BOOST_CHECK(state_of(device) == State::established);
  }
}

BOOST_AUTO_TEST_CASE(a_session_without_a_grant_is_not_named_in_hello) {
  Device master{Role::master};
  master.go_online();
  master.open();
  go_offline(master, t0);
  BOOST_TEST(sent<wire::Hello>(master.control.on_connected({}))->sessions.empty());
}

BOOST_AUTO_TEST_CASE(an_end_while_the_server_is_away_is_told_when_it_is_back) {
  Device device{Role::master};
  const auto id = device.establish();
  go_offline(device, later);
  lose(device);
  BOOST_TEST(find<SessionOver>(device.control.end(id, CloseCode::unplugged, "")));
  const auto hello = device.control.on_connected({});
  BOOST_TEST(sent<wire::Hello>(hello)->sessions == std::vector<std::uint64_t>{77},
             boost::test_tools::per_element());
  const auto back = device.control.on_message(device.welcome(), later);
  BOOST_REQUIRE(sent<wire::Close>(back));
  BOOST_CHECK(sent<wire::Close>(back)->code == CloseCode::unplugged);
  go_offline(device, later);
  BOOST_TEST(sent<wire::Hello>(device.control.on_connected({}))->sessions.empty());
}

BOOST_AUTO_TEST_CASE(whoever_ends_an_interrupted_session_ends_it) {
  for (const auto role : roles)
    for (int step = 0; step < 3; ++step) {
      Device device{role};
      const auto id = device.establish();
      lose(device);
      if (step > 0) device.control.on_message(device.regranted(2), later);
      if (step > 1) lose(device);
      const auto actions = step % 2 == 0
                               ? device.control.end(id, CloseCode::operator_, "")
                               : device.control.on_message(
                                     wire::Close{.session = 77, .code = CloseCode::revoked}, later);
      BOOST_REQUIRE(find<SessionOver>(actions));
      BOOST_TEST((sent<wire::Close>(actions) != nullptr) == (step % 2 == 0));
      BOOST_TEST(!device.control.session().has_value());
      BOOST_CHECK(device.control.next_deadline() == Clock::time_point::max());
    }
}

BOOST_AUTO_TEST_CASE(a_device_with_an_interrupted_session_takes_no_other) {
  Device onsite{Role::onsite};
  onsite.establish();
  lose(onsite);
  const auto actions = onsite.control.on_message(onsite.offer(78), later);
  BOOST_REQUIRE(sent<wire::Decline>(actions));
  BOOST_CHECK(sent<wire::Decline>(actions)->code == wire::RefusalCode::busy);
}
