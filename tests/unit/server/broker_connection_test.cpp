#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;
using wire::CloseCode;
using wire::GoodbyeCode;

BOOST_FIXTURE_TEST_SUITE(broker_connections, BrokerFixture)

BOOST_AUTO_TEST_CASE(a_known_device_is_welcomed_with_its_identity) {
  const auto onsite = online("rpi1100");
  const auto welcome = only<wire::Welcome>(onsite);
  BOOST_TEST(welcome.name.str() == "rpi1100");
  BOOST_TEST(welcome.system.str() == "default");
  BOOST_TEST((welcome.role == wire::Role::onsite));
  BOOST_TEST(welcome.public_address == "198.51.100.7");
  BOOST_TEST(welcome.ping_after_seconds == 25U);
  BOOST_TEST(welcome.server_time == start_unix);
  BOOST_TEST(broker.registry().size() == 1U);
  BOOST_TEST(noted(Event::Kind::connected));
}

BOOST_AUTO_TEST_CASE(whoever_the_registry_does_not_allow_is_sent_away_saying_why) {
  const auto refusal = [&](PeerFacts facts) {
    const ConnectionId id{++last_connection};
    take(broker.on_connected(id, facts, now));
    BOOST_TEST(broker.connections() == 0U);
    BOOST_TEST(noted(Event::Kind::connection_refused));
    return goodbye(id).value().code;
  };
  auto unknown = peer("rpi1100");
  unknown.identity.name = name("stranger");
  BOOST_TEST((refusal(unknown) == GoodbyeCode::unknown_device));
  auto other_key = peer("rpi1100");
  other_key.key_hash[31] = std::byte{1};
  BOOST_TEST((refusal(other_key) == GoodbyeCode::wrong_key));
  auto other_role = peer("rpi1100");
  other_role.identity.role = wire::Role::master;
  BOOST_TEST((refusal(other_role) == GoodbyeCode::wrong_key));
  auto other_system = peer("rpi1100");
  other_system.identity.system = name("acme");
  BOOST_TEST((refusal(other_system) == GoodbyeCode::wrong_key));
  record("rpi1100").state = DeviceState::revoked;
  BOOST_TEST((refusal(peer("rpi1100")) == GoodbyeCode::revoked));
  record("rpi1200").key_hash.reset();
  record("rpi1200").state = DeviceState::registered;
  BOOST_TEST((refusal(peer("rpi1200")) == GoodbyeCode::wrong_key));
}

BOOST_AUTO_TEST_CASE(a_device_revoked_between_handshake_and_hello_is_not_welcomed) {
  const auto onsite = connect("rpi1100");
  record("rpi1100").state = DeviceState::revoked;
  send(onsite, wire::Hello{});
  BOOST_TEST((goodbye(onsite).value().code == GoodbyeCode::revoked));
  BOOST_TEST(sent_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_device_without_a_common_version_is_told_so) {
  const auto onsite = connect("rpi1100");
  send(onsite, wire::Hello{.version_min = 7, .version_max = 9});
  BOOST_TEST((goodbye(onsite).value().code == GoodbyeCode::unsupported_version));
}

BOOST_AUTO_TEST_CASE(the_newest_connection_of_an_identity_wins) {
  const auto old = online("rpi1100");
  const auto fresh = online("rpi1100");
  BOOST_TEST((goodbye(old).value().code == GoodbyeCode::replaced));
  BOOST_TEST(!closed(fresh));
  BOOST_TEST(noted(Event::Kind::replaced));
  BOOST_TEST((broker.registry().find(name("rpi1100"))->connection == fresh));
  lose(old);  // its late end changes nothing
  BOOST_TEST(broker.registry().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_connection_without_hello_replaces_nobody) {
  const auto old = online("rpi1100");
  connect("rpi1100");
  BOOST_TEST((broker.registry().find(name("rpi1100"))->connection == old));
}

BOOST_AUTO_TEST_CASE(two_that_fight_for_an_identity_are_both_kept_out) {
  auto last = online("rpi1100");
  for (int i = 0; i < 3; ++i) {
    wait(1s);
    last = online("rpi1100");
    BOOST_TEST(!closed(last));
  }
  wait(1s);
  const auto fifth = online("rpi1100");
  BOOST_TEST((goodbye(last).value().code == GoodbyeCode::quarantined));
  BOOST_TEST((goodbye(fifth).value().code == GoodbyeCode::quarantined));
  BOOST_TEST(goodbye(fifth).value().retry_after_ms == 120'000U);
  BOOST_TEST(noted(Event::Kind::quarantined));
  BOOST_TEST(broker.registry().size() == 0U);

  wait(quarantine_time - 1s);
  const auto early = connect("rpi1100");
  BOOST_TEST((goodbye(early).value().code == GoodbyeCode::quarantined));
  BOOST_TEST(goodbye(early).value().retry_after_ms == 1'000U);
  wait(1s);
  online("rpi1100");
  BOOST_TEST(broker.registry().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_device_that_comes_back_now_and_then_is_not_quarantined) {
  auto last = online("rpi1100");
  for (int i = 0; i < 20; ++i) {
    wait(21s);
    last = online("rpi1100");
    BOOST_TEST(!closed(last));
  }
}

BOOST_AUTO_TEST_CASE(a_ping_is_answered_with_its_token) {
  const auto onsite = online("rpi1100");
  send(onsite, wire::Ping{.token = 42});
  BOOST_TEST(only<wire::Pong>(onsite).token == 42U);
}

BOOST_AUTO_TEST_CASE(a_silent_device_is_given_up_after_the_time_of_two_lost_answers) {
  const auto onsite = online("rpi1100");
  run_until(now.steady + 44s);
  BOOST_TEST(!closed(onsite));
  run_until(now.steady + 4s);
  BOOST_TEST((goodbye(onsite).value().code == GoodbyeCode::timeout));
  BOOST_TEST(broker.registry().size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_connection_that_never_says_hello_is_closed) {
  const auto onsite = connect("rpi1100");
  run_until(now.steady + 13s);
  BOOST_TEST((goodbye(onsite).value().code == GoodbyeCode::timeout));
}

BOOST_AUTO_TEST_CASE(an_idle_broker_wants_no_tick) {
  BOOST_TEST((broker.next_deadline() == tunnel::Clock::time_point::max()));
  const auto onsite = online("rpi1100");
  BOOST_TEST((broker.next_deadline() < tunnel::Clock::time_point::max()));
  lose(onsite);
  run_until(now.steady + 10s);
  BOOST_TEST((broker.next_deadline() == tunnel::Clock::time_point::max()));
}

BOOST_AUTO_TEST_CASE(a_device_that_leaves_is_known_by_when_it_was_last_seen) {
  const auto onsite = online("rpi1100");
  wait(90s);
  send(onsite, wire::Goodbye{.code = GoodbyeCode::shutting_down, .text = "bye"});
  BOOST_TEST(closed(onsite));
  BOOST_TEST(!goodbye(onsite));
  BOOST_TEST(record("rpi1100").last_seen == start_unix + 90);
}

BOOST_AUTO_TEST_CASE(the_same_key_gets_a_new_certificate_and_another_request_a_reason) {
  const auto onsite = online("rpi1100");
  send(onsite, wire::Renew{.csr = tunnel::to_bytes("good")});
  BOOST_TEST(tunnel::as_text(only<wire::Renewed>(onsite).certificate) == "certificate of rpi1100");
  send(onsite, wire::Renew{.csr = tunnel::to_bytes("bad")});
  BOOST_TEST(only<wire::Refused>(onsite).text == "the request is not acceptable");
  BOOST_TEST(!closed(onsite));
}

BOOST_AUTO_TEST_CASE(at_a_shutdown_all_are_told_to_come_back_at_different_times) {
  const auto first = online("rpi1100");
  const auto second = online("rpi1200");
  take(broker.on_shutdown(now));
  BOOST_TEST((goodbye(first).value().code == GoodbyeCode::shutting_down));
  BOOST_TEST(goodbye(first)->retry_after_ms != goodbye(second)->retry_after_ms);
  BOOST_TEST(broker.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_store_that_fails_costs_a_connection_and_never_the_server) {
  const auto master = online("rpi2001");
  directory.broken = true;
  send(master, wire::List{.request = 1});
  BOOST_TEST((goodbye(master).value().code == GoodbyeCode::overloaded));
  BOOST_TEST(goodbye(master)->retry_after_ms > 0U);
  BOOST_TEST(noted(Event::Kind::server_trouble));
  const auto next = connect("rpi2001");
  BOOST_TEST((goodbye(next).value().code == GoodbyeCode::overloaded));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_full_server_sends_the_next_device_away_with_a_time_to_come_back) {
  BrokerFixture fixture{{.connections_max = 1}};
  fixture.online("rpi1100");
  const auto second = fixture.connect("rpi1200");
  BOOST_TEST((fixture.goodbye(second).value().code == GoodbyeCode::overloaded));
  BOOST_TEST(fixture.goodbye(second)->retry_after_ms >= 10'000U);
}
