// Sessions as they outlive the server: what is written, when, and what the next one makes of it.
#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;
using wire::CloseCode;

namespace {

/// A server that ran a session of an hour, and the one after it.
struct TwoServers {
  TwoServers() : session{grant()}, kept{before.all<KeepSession>().front().session} {
    after.now = {before.now.steady + 100h, before.now.unix + 60};  // another clock
  }
  std::uint64_t grant() {
    const auto onsite = before.online("rpi1100");
    const auto master = before.online("rpi2001");
    auto open = BrokerFixture::open_of("rpi1100");
    open.seconds = 3600;
    before.send(master, open);
    const auto offered = before.only<wire::Offer>(onsite).session;
    before.send(onsite, BrokerFixture::accept_of(offered));
    return offered;
  }
  void start(std::vector<KeptSession> sessions) {
    after.take(after.broker.restore(std::move(sessions), after.now));
  }

  BrokerFixture before, after;
  std::uint64_t session;
  KeptSession kept;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(broker_restores, TwoServers)

BOOST_AUTO_TEST_CASE(a_session_is_written_down_before_its_grant_is_sent) {
  bool written = false;
  std::size_t grants = 0;
  for (const auto& action : before.actions) {
    if (std::holds_alternative<KeepSession>(action)) written = true;
    const auto* send = std::get_if<SendTo>(&action);
    if (send == nullptr || !std::holds_alternative<wire::Granted>(send->message)) continue;
    BOOST_TEST(written);
    ++grants;
  }
  BOOST_TEST(grants == 2U);
  BOOST_TEST(kept.grant.session == session);
  BOOST_TEST(kept.seconds == 3600U);
  BOOST_TEST(kept.expires == before.now.unix + 3600);
}

BOOST_AUTO_TEST_CASE(the_next_server_goes_on_where_the_last_one_stopped) {
  start({kept});
  BOOST_TEST(after.noted(Event::Kind::interrupted));
  const auto onsite = after.back("rpi1100", {session});
  BOOST_TEST(after.only<wire::Interrupted>(onsite).epoch == 2U);
  const auto master = after.back("rpi2001", {session});
  after.send(master, BrokerFixture::resume_of(session, 2));
  after.send(onsite, BrokerFixture::resume_of(session, 2));
  const auto grant = wire::decode_grant(after.only<wire::Granted>(master).grant).value();
  BOOST_TEST(grant.epoch == 2U);
  BOOST_TEST((grant.tunnel == kept.grant.tunnel));
  BOOST_TEST((grant.allow == kept.grant.allow));
  BOOST_TEST((grant.dns == kept.grant.dns));
  BOOST_TEST(grant.seconds == 3540U);
  const auto again = after.all<KeepSession>().front().session;
  BOOST_TEST(again.grant.epoch == 2U);
  BOOST_TEST(again.expires == kept.expires);
  BOOST_TEST(again.seconds == 3600U);
  BOOST_TEST(after.attach("rpi1100", session, 1) == "the session is at epoch 2, not 1");
  BOOST_TEST(after.attach("rpi1100", session, 2) == "");
}

BOOST_AUTO_TEST_CASE(devices_may_know_a_newer_epoch_than_was_written) {
  start({kept});
  const auto onsite = after.back("rpi1100", {session});
  const auto master = after.back("rpi2001", {session});
  after.send(master, BrokerFixture::resume_of(session, 7));
  after.send(onsite, BrokerFixture::resume_of(session, 7));
  BOOST_TEST(wire::decode_grant(after.only<wire::Granted>(master).grant).value().epoch == 7U);
}

BOOST_AUTO_TEST_CASE(what_has_expired_meanwhile_is_dropped_and_says_so) {
  after.now.unix = kept.expires;
  start({kept});
  BOOST_TEST(after.all<DropSession>().size() == 1U);
  BOOST_TEST(after.broker.sessions().empty());
  const auto onsite = after.back("rpi1100", {session});
  BOOST_TEST((after.only<wire::Close>(onsite).code == CloseCode::time_limit));
  BOOST_TEST(after.only<wire::Close>(onsite).text == "it was limited to 3600 s");
}

BOOST_AUTO_TEST_CASE(what_does_not_go_on_is_noted_as_closed) {
  after.now.unix = kept.expires + 100;
  start({kept});
  const auto closed = after.all<Note>().front().event;
  BOOST_TEST((closed.kind == Event::Kind::closed));
  BOOST_TEST(closed.session == session);
  BOOST_TEST(closed.code == "time_limit");
  BOOST_TEST(closed.seconds == 3600);
}

BOOST_AUTO_TEST_CASE(its_time_limit_holds_at_the_next_server) {
  start({kept});
  const auto until = after.now.steady + 10min - 1ms;
  after.run_until(until);
  BOOST_TEST(after.broker.sessions().size() == 1U);
  after.run_until(until + 1ms);  // the grace
  BOOST_TEST(after.broker.sessions().empty());
  BOOST_TEST(after.all<DropSession>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_set_back_makes_no_session_longer) {
  after.now.unix = 1'000;
  start({kept});
  BOOST_TEST((after.broker.find_session(session)->limit <= after.now.steady + 3600s));
}

BOOST_AUTO_TEST_CASE(its_tunnel_is_given_to_nobody_else) {
  start({kept});
  const auto onsite = after.online("rpi1200");
  const auto master = after.online("rpi2002");
  const auto other = after.grant(master, onsite, BrokerFixture::open_of("rpi1200"));
  BOOST_TEST(!after.broker.find_session(other)->tunnel->overlaps(kept.grant.tunnel));
}

BOOST_AUTO_TEST_CASE(of_two_of_one_device_the_newer_goes_on) {
  auto stale = kept;
  stale.grant.session = 999;
  stale.since -= 100;
  start({stale, kept});
  BOOST_REQUIRE_EQUAL(after.broker.sessions().size(), 1U);
  BOOST_TEST(after.broker.sessions().front()->id == session);
  BOOST_REQUIRE_EQUAL(after.all<DropSession>().size(), 1U);
  BOOST_TEST(after.all<DropSession>().front().session == 999U);
}

BOOST_AUTO_TEST_CASE(a_device_that_was_started_anew_as_well_ends_it) {
  start({kept});
  after.back("rpi1100", {});
  BOOST_TEST(after.broker.sessions().empty());
  BOOST_TEST(after.all<DropSession>().size() == 1U);
  const auto master = after.back("rpi2001", {session});
  BOOST_TEST(after.only<wire::Close>(master).text == "rpi1100 was restarted");
}

BOOST_AUTO_TEST_CASE(a_device_with_another_key_does_not_get_it) {
  start({kept});
  auto changed = after.record("rpi1100");
  changed.key_hash = wire::Hash{std::byte{1}};
  after.directory.devices.insert_or_assign(name("rpi1100"), changed);
  auto facts = after.peer("rpi1100");
  facts.key_hash = *changed.key_hash;
  const ConnectionId id{77};
  after.take(after.broker.on_connected(id, facts, after.now));
  after.send(id, wire::Hello{.sessions = {session}});
  BOOST_TEST(after.broker.sessions().empty());
  BOOST_TEST(after.only<wire::Close>(id).session == session);
}

BOOST_AUTO_TEST_CASE(an_orderly_stop_keeps_what_was_written) {
  BOOST_TEST(before.attach("rpi1100", session) == "");
  BOOST_TEST(before.attach("rpi2001", session) == "");
  before.take(before.broker.on_shutdown(before.now));
  BOOST_TEST(before.all<DropSession>().empty());
  BOOST_TEST(before.all<StopRelay>().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
