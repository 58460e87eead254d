// A session whose legs die and come back: every order of Interrupted, Resume, leg and connection.
#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;
using wire::CloseCode;
using wire::Role;

namespace {

struct HeldSession : BrokerFixture {
  HeldSession() {
    auto open = open_of("rpi1100");
    open.seconds = 3600;
    session = run(master, onsite, open);
    const auto* running = broker.find_session(session);
    tunnel = *running->tunnel;
    wait(30s);
    send(master, wire::Ping{});
    send(onsite, wire::Ping{});
  }
  const Session& it() const { return *broker.find_session(session); }
  bool is(Session::State state) const {
    const auto* found = broker.find_session(session);
    return found != nullptr && found->state == state;
  }
  wire::Grant granted_to(ConnectionId device) const {
    return wire::decode_grant(only<wire::Granted>(device).grant).value();
  }
  void lose_leg(Role side, std::uint32_t epoch = 1) {
    take(broker.on_leg_closed(session, epoch, side, true, now));
    run_until(now.steady + leg_close_linger);
  }
  /// Both ask, both get a grant, both legs come.
  void resume_whole(std::uint32_t epoch) {
    send(onsite, resume_of(session, epoch, 5));
    send(master, resume_of(session, epoch, 6));
    BOOST_REQUIRE_EQUAL(granted_to(master).epoch, epoch);
    BOOST_REQUIRE_EQUAL(attach("rpi1100", session, epoch), "");
    BOOST_REQUIRE_EQUAL(attach("rpi2001", session, epoch), "");
    BOOST_REQUIRE(is(Session::State::running));
  }
  /// The devices speak now and then, as they do.
  void live_until(tunnel::Clock::time_point end) {
    while (now.steady < end) {
      run_until(std::min(end, now.steady + 20s));
      if (broker.sessions().empty()) return;
      for (const auto id : {master, onsite}) {
        const auto before = actions;
        send(id, wire::Ping{});
        actions = before;
      }
    }
  }

  ConnectionId onsite = online("rpi1100");
  ConnectionId master = online("rpi2001");
  std::uint64_t session = 0;
  tunnel::Ipv4Prefix tunnel;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(broker_resumes, HeldSession)

BOOST_AUTO_TEST_CASE(a_lost_leg_interrupts_the_session_and_both_are_told_once) {
  take(broker.on_leg_closed(session, 1, Role::onsite, true, now));
  BOOST_TEST(actions.empty());
  run_until(now.steady + leg_close_linger);
  BOOST_TEST(only<wire::Interrupted>(master).epoch == 2U);
  BOOST_TEST(only<wire::Interrupted>(onsite).session == session);
  BOOST_TEST(all<StopRelay>().size() == 1U);
  BOOST_TEST(noted(Event::Kind::interrupted));
  BOOST_TEST(is(Session::State::interrupted));
  BOOST_TEST(it().interrupted_since == now.unix);
  lose_leg(Role::master);  // the relay closes the other one, which says nothing new
  BOOST_TEST(actions.empty());
}

BOOST_AUTO_TEST_CASE(resume_of_both_makes_a_new_grant_of_the_same_session) {
  const auto first = it();
  send(master, resume_of(session, 2, 7));
  BOOST_TEST(sent<wire::Interrupted>(master).empty());  // it knows
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 2U);
  BOOST_TEST(all<StopRelay>().size() == 1U);
  wait(10s);
  send(onsite, resume_of(session, 2, 8));
  const auto grant = granted_to(master);
  BOOST_TEST(only<wire::Granted>(master).request == 0U);
  BOOST_TEST(only<wire::Granted>(onsite).request == 0U);
  BOOST_TEST((only<wire::Granted>(onsite).grant == only<wire::Granted>(master).grant));
  BOOST_TEST(grant.session == session);
  BOOST_TEST(grant.epoch == 2U);
  BOOST_TEST((grant.tunnel == tunnel));
  BOOST_TEST((grant.allow == first.allow));
  BOOST_TEST((grant.master_nonce[0] == std::byte{7}));
  BOOST_TEST((grant.onsite_nonce[0] == std::byte{8}));
  BOOST_TEST(grant.seconds == 3600U - 40U);
  BOOST_TEST(grant.server_time == now.unix);
  BOOST_TEST(is(Session::State::granted));
  BOOST_TEST(attach("rpi1100", session, 1) == "the session is at epoch 2, not 1");
  BOOST_TEST(attach("rpi1100", session, 2) == "");
  BOOST_TEST(attach("rpi2001", session, 2) == "");
  BOOST_TEST(all<StartRelay>().front().epoch == 2U);
  BOOST_TEST(noted(Event::Kind::resumed));
  BOOST_TEST(it().interrupted_since == 0);
  run_until(now.steady + 20s);
  BOOST_TEST(is(Session::State::running));
}

BOOST_AUTO_TEST_CASE(both_may_lose_their_legs_at_once_and_ask_before_they_are_told) {
  take(broker.on_leg_closed(session, 1, Role::master, true, now));
  take(broker.on_leg_closed(session, 1, Role::onsite, true, now));
  send(onsite, resume_of(session, 2));
  send(master, resume_of(session, 2));
  BOOST_TEST(granted_to(onsite).epoch == 2U);
  run_until(now.steady + 1s);  // the linger of the old legs is over and interrupts nothing
  BOOST_TEST(is(Session::State::granted));
}

BOOST_AUTO_TEST_CASE(it_may_be_interrupted_again_and_again) {
  for (std::uint32_t epoch = 2; epoch < 30; ++epoch) {
    lose_leg(epoch % 2 == 0 ? Role::master : Role::onsite, epoch - 1);
    BOOST_TEST(only<wire::Interrupted>(master).epoch == epoch);
    resume_whole(epoch);
    live_until(now.steady + 20s);
  }
  BOOST_TEST((*it().tunnel == tunnel));
}

BOOST_AUTO_TEST_CASE(a_leg_of_an_old_epoch_is_refused_and_says_nothing) {
  send(onsite, resume_of(session, 2));
  BOOST_TEST(attach("rpi2001", session, 1) ==
             "the session is interrupted, and no new epoch has been granted yet");
  BOOST_TEST(attach("rpi2001", session, 2) ==
             "the session is interrupted, and no new epoch has been granted yet");
  send(master, resume_of(session, 2));
  take(broker.on_leg_closed(session, 1, Role::master, true, now));
  run_until(now.steady + 1s);
  BOOST_TEST(is(Session::State::granted));
  take(broker.on_relay_ended(session, 1, CloseCode::protocol, "late", now));
  BOOST_TEST(is(Session::State::granted));
}

BOOST_AUTO_TEST_CASE(a_second_resume_replaces_the_nonce_of_the_first) {
  send(onsite, resume_of(session, 2, 1));
  send(onsite, resume_of(session, 2, 2));
  BOOST_TEST(actions.empty());
  send(master, resume_of(session, 2, 3));
  BOOST_TEST((granted_to(master).onsite_nonce[0] == std::byte{2}));
}

BOOST_AUTO_TEST_CASE(a_resume_after_the_grant_was_lost_begins_another_round) {
  send(onsite, resume_of(session, 2));
  send(master, resume_of(session, 2));
  BOOST_TEST(attach("rpi1100", session, 2) == "");
  // The master's grant went down with its connection: it asks for what it does not know of.
  lose(master);
  BOOST_TEST(is(Session::State::granted));
  master = back("rpi2001", {session});
  send(master, resume_of(session, 2, 9));
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 3U);
  BOOST_TEST(all<StopRelay>().size() == 1U);
  send(onsite, resume_of(session, 3));
  BOOST_TEST(granted_to(master).epoch == 3U);
  BOOST_TEST((granted_to(master).master_nonce[0] == std::byte{9}));
  BOOST_TEST(attach("rpi1100", session, 2) == "the session is at epoch 3, not 2");
}

BOOST_AUTO_TEST_CASE(the_epoch_is_newer_than_any_that_either_end_has_seen) {
  send(onsite, resume_of(session, 9));
  BOOST_TEST(only<wire::Interrupted>(master).epoch == 9U);
  send(master, resume_of(session, 4));
  BOOST_TEST(granted_to(master).epoch == 9U);
}

BOOST_AUTO_TEST_CASE(an_epoch_beyond_all_reason_ends_the_session) {
  send(onsite, resume_of(session, 0xffffffffU));
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::protocol));
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(legs_that_do_not_come_interrupt_a_resumed_session_again) {
  send(onsite, resume_of(session, 2));
  send(master, resume_of(session, 2));
  BOOST_TEST(attach("rpi1100", session, 2) == "");
  run_until(now.steady + wire::attach_timeout);
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 3U);
  BOOST_TEST(only<wire::Interrupted>(master).epoch == 3U);
  BOOST_TEST(all<StopRelay>().size() == 1U);  // the leg that came
  BOOST_TEST(is(Session::State::interrupted));
  resume_whole(3);
}

BOOST_AUTO_TEST_CASE(a_leg_that_closes_before_the_other_came_interrupts_again) {
  send(onsite, resume_of(session, 2));
  send(master, resume_of(session, 2));
  BOOST_TEST(attach("rpi1100", session, 2) == "");
  lose_leg(Role::onsite, 2);
  BOOST_TEST(only<wire::Interrupted>(master).epoch == 3U);
}

BOOST_AUTO_TEST_CASE(a_later_hand_off_that_is_not_in_time_interrupts_again) {
  resume_whole(2);
  take(broker.on_relay_ended(session, 2, CloseCode::network, "not in time", now));
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 3U);
  BOOST_TEST(is(Session::State::interrupted));
}

BOOST_AUTO_TEST_CASE(a_relay_that_carries_nothing_interrupts_the_session) {
  take(broker.on_relay_ended(session, 1, CloseCode::idle, "nothing was said", now));
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 2U);
  BOOST_TEST(only<wire::Interrupted>(master).epoch == 2U);
}

BOOST_AUTO_TEST_CASE(bytes_behind_a_switch_end_it_in_every_epoch) {
  resume_whole(2);
  take(broker.on_relay_ended(session, 2, CloseCode::protocol, "bytes behind Switch", now));
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::protocol));
}

BOOST_AUTO_TEST_CASE(it_is_kept_for_the_grace_and_no_longer) {
  const auto interrupted_at = now.steady + leg_close_linger;
  lose_leg(Role::onsite);
  send(onsite, resume_of(session, 2));
  live_until(interrupted_at + wire::resume_grace - 1ms);
  BOOST_TEST(is(Session::State::interrupted));
  run_until(interrupted_at + wire::resume_grace);
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::peer_lost));
  BOOST_TEST(only<wire::Close>(onsite).text ==
             "it was interrupted, and rpi2001 did not come back within 10 min");
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(legs_that_fall_at_once_do_not_stretch_the_grace) {
  const auto interrupted_at = now.steady;
  std::uint32_t epoch = 2;
  while (!broker.sessions().empty() && now.steady < interrupted_at + 1h) {
    if (is(Session::State::interrupted) || epoch == 2) {
      send(onsite, resume_of(session, epoch));
      send(master, resume_of(session, epoch));
      if (broker.sessions().empty()) break;
      BOOST_TEST(attach("rpi1100", session, epoch) == "");
      BOOST_TEST(attach("rpi2001", session, epoch) == "");
    }
    live_until(now.steady + 5s);
    take(broker.on_relay_ended(session, epoch, CloseCode::network, "not in time", now));
    ++epoch;
  }
  BOOST_TEST(broker.sessions().empty());
  BOOST_TEST((now.steady - interrupted_at >= wire::resume_grace));
  BOOST_TEST((now.steady - interrupted_at < wire::resume_grace + 1min));
}

BOOST_AUTO_TEST_CASE(the_time_limit_counts_on_while_it_is_interrupted) {
  live_until(now.steady + 3500s - 30s);
  lose_leg(Role::onsite);
  send(onsite, resume_of(session, 2));
  live_until(now.steady + 120s);
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::time_limit));
  send(master, resume_of(session, 2));
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::time_limit));  // the true cause
}

BOOST_AUTO_TEST_CASE(what_is_over_never_resumes) {
  lose_leg(Role::onsite);
  send(master, wire::Close{.session = session, .code = CloseCode::operator_, .text = {}});
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::operator_));
  send(onsite, resume_of(session, 2));
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::operator_));
  const auto stranger = online("rpi2002");
  send(stranger, resume_of(session, 2));
  BOOST_TEST((only<wire::Close>(stranger).code == CloseCode::peer_lost));  // learns nothing
}

BOOST_AUTO_TEST_CASE(nobody_else_can_resume_a_session) {
  const auto stranger = online("rpi2002");
  send(stranger, resume_of(session, 2));
  BOOST_TEST(only<wire::Close>(stranger).text == "the server does not know this session any more");
  BOOST_TEST(is(Session::State::running));
  BOOST_TEST(sent_count() == 1U);
}

BOOST_AUTO_TEST_CASE(the_administrator_closes_an_interrupted_session) {
  lose_leg(Role::onsite);
  lose(onsite);
  take(broker.close_session(session, "maintenance", now).value());
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::administrator));
  onsite = back("rpi1100", {session});
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::administrator));
  BOOST_TEST(only<wire::Close>(onsite).text == "maintenance");
}

BOOST_AUTO_TEST_CASE(revoking_an_absent_device_ends_its_interrupted_session) {
  lose_leg(Role::onsite);
  lose(onsite);
  record("rpi1100").state = DeviceState::revoked;
  take(broker.on_device_changed(name("rpi1100"), wire::GoodbyeCode::revoked, "rpi1100 was revoked",
                                now));
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::revoked));
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(the_registry_and_the_policy_are_asked_again) {
  lose_leg(Role::onsite);
  record("rpi1100").state = DeviceState::revoked;  // nobody told the broker
  send(onsite, resume_of(session, 2));
  send(master, resume_of(session, 2));
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::revoked));
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(a_key_that_fails_leaves_the_session_to_be_asked_for_again) {
  send(onsite, resume_of(session, 2));
  issuer.broken = true;
  send(master, resume_of(session, 2));
  BOOST_TEST((goodbye(master).value().code == wire::GoodbyeCode::overloaded));
  BOOST_TEST(is(Session::State::interrupted));
  issuer.broken = false;
  master = back("rpi2001", {session});
  send(master, resume_of(session, 2));
  BOOST_TEST(granted_to(master).epoch == 2U);
}

BOOST_AUTO_TEST_CASE(a_device_that_asks_too_often_has_its_session_ended) {
  for (std::size_t i = 0; i < wire::resumes_per_minute_max; ++i) {
    send(onsite, resume_of(session, 2));
    BOOST_REQUIRE(is(Session::State::interrupted));
    wait(1s);
  }
  send(onsite, resume_of(session, 2));
  BOOST_TEST((only<wire::Close>(onsite).code == CloseCode::protocol));
  BOOST_TEST(only<wire::Close>(master).text ==
             "rpi1100 lost its data connection more than 20 times in a minute");
}

BOOST_AUTO_TEST_CASE(a_device_that_comes_back_goes_on_with_the_session_it_names) {
  lose(onsite);
  onsite = back("rpi1100", {session});
  BOOST_TEST(sent<wire::Close>(onsite).empty());
  BOOST_TEST(sent<wire::Interrupted>(onsite).empty());  // its legs stand
  BOOST_TEST(is(Session::State::running));
  send(onsite, wire::Close{.session = session, .code = CloseCode::customer, .text = {}});
  BOOST_TEST((only<wire::Close>(master).code == CloseCode::customer));
}

BOOST_AUTO_TEST_CASE(a_newer_connection_takes_the_place_of_one_that_still_seems_to_live) {
  const auto old = master;
  master = back("rpi2001", {session});
  BOOST_TEST((goodbye(old).value().code == wire::GoodbyeCode::replaced));
  BOOST_TEST(is(Session::State::running));
  send(old, wire::Close{.session = session, .code = CloseCode::operator_, .text = {}});
  BOOST_TEST(is(Session::State::running));
  // Its requests begin anew: they are not the one that opened this session.
  send(master, wire::Cancel{.request = 1});
  BOOST_TEST(is(Session::State::running));
}

BOOST_AUTO_TEST_CASE(who_names_its_session_does_not_fight_with_itself) {
  for (int i = 0; i < 10; ++i) {
    master = back("rpi2001", {session});
    BOOST_REQUIRE(!closed(master));
    wait(1s);
  }
  BOOST_TEST(is(Session::State::running));
}

BOOST_AUTO_TEST_CASE(who_was_away_when_the_leg_fell_is_told_at_its_hello) {
  lose(onsite);
  lose_leg(Role::onsite);
  BOOST_TEST(only<wire::Interrupted>(master).epoch == 2U);
  send(master, resume_of(session, 2));
  BOOST_TEST(actions.empty());
  onsite = back("rpi1100", {session});
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 2U);
  send(onsite, resume_of(session, 2));
  BOOST_TEST(granted_to(master).epoch == 2U);
}

BOOST_AUTO_TEST_CASE(a_resume_goes_down_with_its_connection) {
  send(onsite, resume_of(session, 2, 1));
  lose(onsite);
  send(master, resume_of(session, 2));
  BOOST_TEST(sent<wire::Granted>(master).empty());
  onsite = back("rpi1100", {session});
  BOOST_TEST(only<wire::Interrupted>(onsite).epoch == 2U);
  send(onsite, resume_of(session, 2, 2));
  BOOST_TEST((granted_to(master).onsite_nonce[0] == std::byte{2}));
}

BOOST_AUTO_TEST_CASE(a_device_that_lost_its_memory_ends_the_interrupted_session) {
  lose_leg(Role::onsite);
  lose(onsite);
  onsite = back("rpi1100", {});
  BOOST_TEST(sent<wire::Close>(onsite).empty());
  BOOST_TEST(only<wire::Close>(master).text == "rpi1100 was restarted");
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(of_what_nobody_knows_a_device_hears_that_it_is_over) {
  const auto other = back("rpi2002", {session, 77, 78});
  BOOST_TEST(sent<wire::Close>(other).size() == 3U);
  BOOST_TEST(is(Session::State::running));
}

BOOST_AUTO_TEST_CASE(the_last_ends_are_remembered_and_no_more) {
  const auto first = session;
  send(master, wire::Close{.session = first, .code = CloseCode::unplugged, .text = {}});
  for (std::size_t i = 1; i < ended_kept_max; ++i) {
    const auto next = run(master, onsite, open_of("rpi1100"));
    send(master, wire::Close{.session = next, .code = CloseCode::operator_, .text = {}});
  }
  BOOST_TEST((only<wire::Close>(back("rpi1100", {first})).code == CloseCode::unplugged));
  onsite = back("rpi1100", {});
  const auto last = run(master, onsite, open_of("rpi1100"));
  send(master, wire::Close{.session = last, .code = CloseCode::operator_, .text = {}});
  BOOST_TEST((only<wire::Close>(back("rpi1100", {first})).code == CloseCode::peer_lost));
}

BOOST_AUTO_TEST_CASE(an_interrupted_device_is_busy) {
  lose_leg(Role::onsite);
  const auto other = online("rpi2002");
  send(other, open_of("rpi1100"));
  BOOST_TEST((only<wire::Refused>(other).code == wire::RefusalCode::busy));
  send(master, open_of("rpi1200", 2));
  BOOST_TEST((only<wire::Refused>(master).code == wire::RefusalCode::busy));
}

BOOST_AUTO_TEST_CASE(what_all_epochs_carried_is_told_at_the_end) {
  broker.on_relay_bytes(session, 1, 1000, 20);
  send(master, resume_of(session, 2));
  broker.on_relay_bytes(session, 1, 1500, 20);  // the last word of the old relay
  send(onsite, resume_of(session, 2));
  BOOST_TEST(attach("rpi1100", session, 2) == "");
  BOOST_TEST(attach("rpi2001", session, 2) == "");
  broker.on_relay_bytes(session, 2, 10, 5);
  BOOST_TEST(it().from_onsite_bytes == 1510U);
  BOOST_TEST(it().from_master_bytes == 25U);
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_sends_those_with_a_session_back_soon) {
  const auto idle = online("rpi1200");
  take(broker.on_shutdown(now));
  BOOST_TEST(sent<wire::Close>(master).empty());
  BOOST_TEST(all<StopRelay>().size() == 1U);
  BOOST_TEST(goodbye(master)->retry_after_ms < 500U);
  BOOST_TEST((goodbye(idle)->code == wire::GoodbyeCode::shutting_down));
  BOOST_TEST(broker.sessions().size() == 1U);  // for the next server
}

BOOST_AUTO_TEST_SUITE_END()
