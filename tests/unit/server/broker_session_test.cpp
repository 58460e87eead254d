#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;
using wire::CloseCode;
using wire::Role;

namespace {

struct RunningSession : BrokerFixture {
  RunningSession() {
    auto open = open_of("rpi1100");
    open.seconds = 3600;
    granted_at = now.steady;
    session = run(master, onsite, open);
  }
  /// Both devices and the relay were told of the end, once each, with this code.
  void check_ended(CloseCode code) const {
    BOOST_TEST((only<wire::Close>(onsite).code == code));
    BOOST_TEST((only<wire::Close>(master).code == code));
    const auto stops = all<StopRelay>();
    BOOST_REQUIRE_EQUAL(stops.size(), 1U);
    BOOST_TEST((stops.front().code == code));
    BOOST_TEST(stops.front().session == session);
    BOOST_TEST(noted(Event::Kind::closed));
    BOOST_TEST(broker.sessions().empty());
  }

  ConnectionId onsite = online("rpi1100");
  ConnectionId master = online("rpi2001");
  tunnel::Clock::time_point granted_at;
  std::uint64_t session = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(broker_sessions, RunningSession)

BOOST_AUTO_TEST_CASE(the_masters_close_reaches_the_onsite_and_the_relay) {
  send(master, wire::Close{.session = session, .code = CloseCode::operator_, .text = {}});
  check_ended(CloseCode::operator_);
  BOOST_TEST(only<wire::Close>(onsite).text == "the engineer ended it");
}

BOOST_AUTO_TEST_CASE(the_onsites_close_reaches_the_master_and_the_relay) {
  send(onsite, wire::Close{.session = session, .code = CloseCode::customer, .text = "stop"});
  check_ended(CloseCode::customer);
  BOOST_TEST(only<wire::Close>(master).text == "stop");
}

BOOST_AUTO_TEST_CASE(a_device_cannot_speak_for_the_administrator) {
  send(onsite, wire::Close{.session = session, .code = CloseCode::administrator, .text = "ha"});
  check_ended(CloseCode::protocol);
}

BOOST_AUTO_TEST_CASE(nobody_else_can_close_a_session) {
  const auto other = online("rpi2002");
  send(other, wire::Close{.session = session, .code = CloseCode::operator_, .text = {}});
  BOOST_TEST(actions.empty());
  BOOST_TEST(broker.sessions().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_session_outlives_the_control_connections_of_its_devices) {
  lose(onsite);
  lose(master);
  BOOST_TEST(sent_count() == 0U);
  BOOST_TEST(all<StopRelay>().empty());
  BOOST_REQUIRE_EQUAL(broker.sessions().size(), 1U);
  BOOST_TEST((broker.sessions().front()->state == Session::State::running));
  run_until(granted_at + 3600s);
  BOOST_TEST(all<StopRelay>().size() == 1U);  // its time limit holds
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(a_device_that_stops_says_so_to_the_other) {
  send(onsite, wire::Goodbye{.code = wire::GoodbyeCode::shutting_down, .text = {}});
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::shutdown));
  BOOST_TEST(only<wire::Close>(master).text == "rpi1100 stops");
}

BOOST_AUTO_TEST_CASE(a_device_that_connects_anew_and_knows_of_no_session_ends_its_old_one) {
  online("rpi1100");
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::peer_lost));
  BOOST_TEST(only<wire::Close>(master).text == "rpi1100 was restarted");
  BOOST_TEST(all<StopRelay>().size() == 1U);
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(a_device_that_breaks_the_protocol_ends_its_session) {
  send(onsite,
       wire::Welcome{.system = name("default"), .name = name("rpi1100"), .role = Role::onsite});
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::protocol));
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(the_time_is_over_exactly_at_its_end) {
  // Both devices go on speaking.
  while (now.steady + 20s < granted_at + 3600s) {
    run_until(now.steady + 20s);
    send(onsite, wire::Ping{});
    send(master, wire::Ping{});
  }
  run_until(granted_at + 3600s - 1ms);
  BOOST_TEST(broker.sessions().size() == 1U);
  run_until(granted_at + 3600s);
  check_ended(CloseCode::time_limit);
  BOOST_TEST(only<wire::Close>(master).text == "it was limited to 3600 s");
}

BOOST_AUTO_TEST_CASE(the_administrator_closes_it_for_both) {
  take(broker.close_session(session, "maintenance", now).value());
  check_ended(CloseCode::administrator);
  BOOST_TEST(only<wire::Close>(master).text == "maintenance");
  BOOST_TEST(!broker.close_session(session, "again", now));
}

BOOST_AUTO_TEST_CASE(a_revoked_device_is_cut_off_in_the_same_turn) {
  record("rpi1100").state = DeviceState::revoked;
  take(broker.on_device_changed(name("rpi1100"), wire::GoodbyeCode::revoked,
                                "rpi1100 was revoked: stolen", now));
  check_ended(CloseCode::revoked);
  BOOST_TEST(only<wire::Close>(master).text == "rpi1100 was revoked: stolen");
  BOOST_TEST((goodbye(onsite).value().code == wire::GoodbyeCode::revoked));
  BOOST_TEST(!closed(master));
  const auto again = connect("rpi1100");
  BOOST_TEST((goodbye(again).value().code == wire::GoodbyeCode::revoked));
}

BOOST_AUTO_TEST_CASE(a_relay_that_finds_the_protocol_broken_ends_the_session) {
  take(broker.on_relay_ended(session, 1, CloseCode::protocol, "bytes behind Switch", now));
  check_ended(CloseCode::protocol);
}

BOOST_AUTO_TEST_CASE(a_first_hand_off_that_is_not_in_time_ends_the_session) {
  take(broker.on_relay_ended(session, 1, CloseCode::network, "not in time", now));
  check_ended(CloseCode::network);
}

BOOST_AUTO_TEST_CASE(a_relay_of_another_epoch_says_nothing_of_this_session) {
  take(broker.on_relay_ended(session, 2, CloseCode::protocol, "bytes behind Switch", now));
  BOOST_TEST(actions.empty());
  broker.on_relay_bytes(session, 2, 7, 7);
  BOOST_TEST(broker.find_session(session)->from_onsite_bytes == 0U);
}

BOOST_AUTO_TEST_CASE(a_lost_leg_waits_for_the_close_that_says_why) {
  take(broker.on_leg_closed(session, 1, Role::master, true, now));
  BOOST_TEST(actions.empty());
  send(master, wire::Close{.session = session, .code = CloseCode::unplugged, .text = {}});
  check_ended(CloseCode::unplugged);
}

BOOST_AUTO_TEST_CASE(a_leg_of_another_epoch_says_nothing_of_this_session) {
  take(broker.on_leg_closed(session, 2, Role::onsite, true, now));
  run_until(now.steady + 10s);
  BOOST_TEST(broker.sessions().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_the_relay_carried_is_told_at_the_end) {
  broker.on_relay_bytes(session, 1, 1000, 20);
  wait(30s);
  send(master, wire::Close{.session = session, .code = CloseCode::operator_, .text = {}});
  for (const auto& note : all<Note>()) {
    if (note.event.kind != Event::Kind::closed) continue;
    BOOST_TEST(note.event.from_onsite_bytes == 1000U);
    BOOST_TEST(note.event.from_master_bytes == 20U);
    BOOST_TEST(note.event.seconds == 30);
    BOOST_TEST(note.event.code == "operator");
  }
}

BOOST_AUTO_TEST_CASE(each_leg_comes_once_and_only_from_the_two_with_their_keys) {
  BOOST_TEST(attach("rpi1100", session) == "this leg of the session is attached already");
  BOOST_TEST(attach("rpi2002", session) == "there is no such session");
  BOOST_TEST(attach("rpi1100", session + 1) == "there is no such session");
  BOOST_TEST(attach("rpi1100", session, 2) == "the session is at epoch 1, not 2");
  auto impostor = peer("rpi1100");
  impostor.key_hash[0] = std::byte{0};
  const auto outcome = broker.on_attach(impostor, {session, 1}, now);
  BOOST_TEST(std::get<wire::Close>(outcome.leg).text == "there is no such session");
  record("rpi1100").state = DeviceState::revoked;
  BOOST_TEST(attach("rpi1100", session) == "there is no such session");
  BOOST_TEST(broker.sessions().size() == 1U);
}

BOOST_AUTO_TEST_CASE(two_sessions_at_once_do_not_touch_each_other) {
  const auto onsite2 = online("rpi1200");
  const auto master2 = online("rpi2002");
  const auto second = run(master2, onsite2, open_of("rpi1200"));
  const auto tunnel1 = broker.find_session(session)->tunnel;
  const auto tunnel2 = broker.find_session(second)->tunnel;
  BOOST_TEST(!tunnel1->overlaps(*tunnel2));
  BOOST_TEST(attach("rpi1200", session) == "there is no such session");
  online("rpi1100");
  BOOST_TEST(sent<wire::Close>(master).size() == 1U);
  BOOST_TEST(sent<wire::Close>(master2).empty());
  BOOST_TEST(sent<wire::Close>(onsite2).empty());
  BOOST_REQUIRE_EQUAL(broker.sessions().size(), 1U);
  BOOST_TEST(broker.sessions().front()->id == second);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(legs_that_do_not_come_end_the_session_by_name, BrokerFixture) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  const auto session = grant(master, onsite, open_of("rpi1100"));
  BOOST_TEST(attach("rpi2001", session) == "");
  BOOST_TEST(all<StartRelay>().empty());
  run_until(now.steady + wire::attach_timeout);
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::network));
  BOOST_TEST(only<wire::Close>(master).text ==
             "rpi1100 did not connect for the session within 15 s");
}

BOOST_FIXTURE_TEST_CASE(a_first_leg_that_closes_before_the_second_came_ends_the_session,
                        BrokerFixture) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  const auto session = grant(master, onsite, open_of("rpi1100"));
  BOOST_TEST(attach("rpi2001", session) == "");
  take(broker.on_leg_closed(session, 1, Role::master, false, now));
  run_until(now.steady + first_leg_close_linger);
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::network));
  BOOST_TEST(only<wire::Close>(onsite).text == "the data connection of rpi2001 broke");
}

BOOST_FIXTURE_TEST_CASE(a_first_hand_off_whose_leg_closes_waits_for_the_close_that_says_why,
                        BrokerFixture) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  const auto session = run(master, onsite, open_of("rpi1100"));
  take(broker.on_leg_closed(session, 1, Role::master, false, now));
  run_until(now.steady + 1s);
  BOOST_TEST(actions.empty());
  send(master, wire::Close{.session = session, .code = CloseCode::kernel, .text = "no TUN"});
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::kernel));
}

BOOST_FIXTURE_TEST_CASE(a_session_that_never_ran_ends_with_the_server, BrokerFixture) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  grant(master, onsite, open_of("rpi1100"));
  take(broker.on_shutdown(now));
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::shutdown));
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::shutdown));
  bool goodbye_seen = false;
  for (const auto& action : actions) {
    if (std::holds_alternative<CloseConnection>(action)) goodbye_seen = true;
    if (std::holds_alternative<SendTo>(action)) BOOST_TEST(!goodbye_seen);
  }
}

BOOST_FIXTURE_TEST_CASE(a_leg_before_the_grant_is_refused, BrokerFixture) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  const auto session = only<wire::Offer>(onsite).session;
  BOOST_TEST(attach("rpi1100", session) == "the session has not been granted yet");
}
