#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;
using wire::RefusalCode;

BOOST_FIXTURE_TEST_SUITE(broker_opens, BrokerFixture)

BOOST_AUTO_TEST_CASE(a_master_sees_the_onsites_of_its_system_sorted_by_name) {
  add("rpi0900", wire::Role::onsite);
  add("rpi1000", wire::Role::onsite, "acme");
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, wire::List{.request = 7});
  const auto listing = only<wire::Listing>(master);
  BOOST_TEST(listing.request == 7U);
  BOOST_TEST(listing.last);
  BOOST_REQUIRE_EQUAL(listing.devices.size(), 3U);
  BOOST_TEST(listing.devices[0].name.str() == "rpi0900");
  BOOST_TEST(listing.devices[1].name.str() == "rpi1100");
  BOOST_TEST(listing.devices[2].name.str() == "rpi1200");
  BOOST_TEST(!listing.devices[0].online);
  const auto& there = listing.devices[1];
  BOOST_TEST(there.online);
  BOOST_TEST(there.since == start_unix);
  BOOST_TEST(there.public_address == "198.51.100.7");
  BOOST_TEST(there.info.lan->str() == "192.168.1.10/24");
  BOOST_TEST(!there.busy_with);
  run(master, onsite, open_of("rpi1100"));
  send(master, wire::List{.request = 8});
  BOOST_TEST(only<wire::Listing>(master).devices[1].busy_with->str() == "rpi2001");
}

BOOST_AUTO_TEST_CASE(a_long_listing_comes_in_pages) {
  for (int i = 0; i < 130; ++i)
    add("many-" + std::to_string(i), wire::Role::onsite);
  const auto master = online("rpi2001");
  send(master, wire::List{.request = 1});
  const auto pages = sent<wire::Listing>(master);
  constexpr auto page = wire::listing_devices_max;
  BOOST_REQUIRE_EQUAL(pages.size(), (132 + page - 1) / page);
  for (std::size_t i = 0; i + 1 < pages.size(); ++i) {
    BOOST_TEST(pages[i].devices.size() == page);
    BOOST_TEST(!pages[i].last);
  }
  BOOST_TEST(pages.back().devices.size() == 132 % page);
  BOOST_TEST(pages.back().last);
}

BOOST_AUTO_TEST_CASE(an_onsite_may_neither_list_nor_open) {
  const auto onsite = online("rpi1100");
  online("rpi1200");
  send(onsite, wire::List{.request = 1});
  BOOST_TEST((only<wire::Refused>(onsite).code == RefusalCode::wrong_role));
  send(onsite, open_of("rpi1200", 2));
  BOOST_TEST((only<wire::Refused>(onsite).code == RefusalCode::wrong_role));
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(open_offer_accept_grant) {
  record("rpi1100").allow = {prefix("10.1.0.0/16")};
  const auto onsite = online("rpi1100", info_of("192.168.1.20/24"));
  const auto master = online("rpi2001", info_of("192.168.1.10/24"));
  send(master, open_of("rpi1100", 5));
  const auto offer = only<wire::Offer>(onsite);
  BOOST_TEST(offer.master.str() == "rpi2001");
  BOOST_TEST(offer.seconds == 8U * 3600U);
  BOOST_TEST(offer.master_lan->str() == "192.168.1.10/24");
  send(onsite, accept_of(offer.session));
  const auto to_master = only<wire::Granted>(master);
  const auto to_onsite = only<wire::Granted>(onsite);
  BOOST_TEST(to_master.request == 5U);
  BOOST_TEST(to_onsite.request == 0U);
  BOOST_TEST((to_master.grant == to_onsite.grant));
  BOOST_TEST(tunnel::as_text(to_master.signature) == "signed");
  BOOST_TEST(to_master.peer.lan->str() == "192.168.1.20/24");
  BOOST_TEST(to_onsite.peer.lan->str() == "192.168.1.10/24");

  const auto grant = wire::decode_grant(to_master.grant).value();
  BOOST_TEST(grant.session == offer.session);
  BOOST_TEST(grant.epoch == 1U);
  BOOST_TEST(grant.master.name.str() == "rpi2001");
  BOOST_TEST((grant.onsite.key_hash == record("rpi1100").key_hash));
  BOOST_TEST((grant.master_nonce == open_of("rpi1100").nonce));
  BOOST_TEST((grant.onsite_nonce == accept_of(0).nonce));
  BOOST_TEST(grant.seconds == 8U * 3600U);
  BOOST_TEST(grant.server_time == start_unix);
  BOOST_TEST(grant.deny.front().str() == "203.0.113.10");
  BOOST_TEST(grant.dns.front().str() == "192.168.1.1");
  const std::vector<wire::Allow> allowed{{prefix("192.168.1.0/24")},
                                         {prefix("10.1.0.0/16")},
                                         {prefix("192.168.1.1/32"), 17, 53, 53},
                                         {prefix("192.168.1.1/32"), 6, 53, 53}};
  BOOST_TEST((grant.allow == allowed));
}

BOOST_AUTO_TEST_CASE(the_session_is_as_long_as_asked_and_never_longer_than_allowed) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  auto open = open_of("rpi1100");
  open.seconds = 90;
  send(master, open);
  BOOST_TEST(only<wire::Offer>(onsite).seconds == 90U);
  send(master, wire::Cancel{.request = 1});
  open.seconds = 30 * 24 * 3600;
  send(master, open);
  BOOST_TEST(only<wire::Offer>(onsite).seconds == 24U * 3600U);
}

BOOST_AUTO_TEST_CASE(an_open_to_what_is_not_there_is_refused_saying_why) {
  add("foreign", wire::Role::onsite, "acme");
  add("fresh", wire::Role::onsite);
  record("fresh").state = DeviceState::registered;
  add("gone", wire::Role::onsite);
  record("gone").state = DeviceState::revoked;
  const auto master = online("rpi2001");
  online("rpi1100");
  const auto refusal = [&](std::string_view onsite) {
    send(master, open_of(onsite));
    return only<wire::Refused>(master);
  };
  BOOST_TEST((refusal("nobody").code == RefusalCode::unknown_device));
  BOOST_TEST((refusal("foreign").code == RefusalCode::unknown_device));
  BOOST_TEST(refusal("foreign").text == "there is no device foreign in the system default");
  BOOST_TEST((refusal("rpi2002").code == RefusalCode::wrong_role));
  BOOST_TEST((refusal("fresh").code == RefusalCode::not_allowed));
  BOOST_TEST((refusal("gone").code == RefusalCode::revoked));
  auto l2 = open_of("rpi1100");
  l2.mode = wire::Mode::l2;
  send(master, l2);
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::not_allowed));
}

BOOST_AUTO_TEST_CASE(a_session_of_l2_gets_no_tunnel_and_is_recorded_as_one) {
  record("rpi1100").allows_l2 = true;
  const auto master = online("rpi2001");
  const auto onsite = online("rpi1100");
  auto l2 = open_of("rpi1100");
  l2.mode = wire::Mode::l2;
  send(master, l2);
  const auto offer = only<wire::Offer>(onsite);
  BOOST_TEST((offer.mode == wire::Mode::l2));
  send(onsite, wire::Accept{offer.session, {}});
  const auto granted = wire::decode_grant(only<wire::Granted>(master).grant);
  BOOST_REQUIRE(granted);
  BOOST_TEST((granted->mode == wire::Mode::l2 && granted->allow.empty()));
  BOOST_TEST(!broker.find_session(offer.session)->tunnel);
}

BOOST_AUTO_TEST_CASE(an_offline_onsite_is_waited_for_and_opened_when_it_comes) {
  record("rpi1100").last_seen = start_unix - 3600;
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100", 3));
  const auto waiting = only<wire::Waiting>(master);
  BOOST_TEST(waiting.request == 3U);
  BOOST_TEST((waiting.code == RefusalCode::offline));
  BOOST_TEST(waiting.text == "rpi1100 has been offline since 2026-01-14 08:12 UTC");
  BOOST_TEST(waiting.since == start_unix - 3600);
  wait(10s);
  const auto onsite = online("rpi1100");
  BOOST_TEST(only<wire::Offer>(onsite).master.str() == "rpi2001");
}

BOOST_AUTO_TEST_CASE(one_that_never_came_is_waited_for_too) {
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  BOOST_TEST(only<wire::Waiting>(master).text == "rpi1100 has never been online");
}

BOOST_AUTO_TEST_CASE(who_does_not_want_to_wait_is_refused) {
  const auto master = online("rpi2001");
  auto open = open_of("rpi1100");
  open.wait = false;
  send(master, open);
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::offline));
}

BOOST_AUTO_TEST_CASE(a_wait_ends_by_cancel_and_with_the_masters_connection) {
  const auto first = online("rpi2001");
  const auto second = online("rpi2002");
  send(first, open_of("rpi1100"));
  send(second, open_of("rpi1100"));
  send(first, wire::Cancel{.request = 1});
  lose(second);
  const auto onsite = online("rpi1100");
  BOOST_TEST(sent<wire::Offer>(onsite).empty());
}

BOOST_AUTO_TEST_CASE(of_two_that_wait_the_first_gets_it_and_the_second_hears_by_whom) {
  const auto first = online("rpi2001");
  const auto second = online("rpi2002");
  send(first, open_of("rpi1100"));
  send(second, open_of("rpi1100"));
  const auto onsite = online("rpi1100");
  BOOST_TEST(only<wire::Offer>(onsite).master.str() == "rpi2001");
  const auto refused = only<wire::Refused>(second);
  BOOST_TEST((refused.code == RefusalCode::busy));
  BOOST_TEST(refused.text == "rpi1100 is in use by rpi2001 since 2026-01-14 09:12 UTC");
}

BOOST_AUTO_TEST_CASE(a_busy_onsite_says_by_whom_and_since_when) {
  const auto onsite = online("rpi1100");
  const auto first = online("rpi2001");
  run(first, onsite, open_of("rpi1100"));
  wait(5min);
  const auto second = online("rpi2002");
  send(second, open_of("rpi1100"));
  const auto refused = only<wire::Refused>(second);
  BOOST_TEST((refused.code == RefusalCode::busy));
  BOOST_TEST(refused.text == "rpi1100 is in use by rpi2001 since 2026-01-14 09:12 UTC");
}

BOOST_AUTO_TEST_CASE(a_master_has_one_session_at_a_time) {
  const auto onsite = online("rpi1100");
  online("rpi1200");
  const auto master = online("rpi2001");
  run(master, onsite, open_of("rpi1100"));
  send(master, open_of("rpi1200", 2));
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::busy));
}

BOOST_AUTO_TEST_CASE(an_onsite_that_does_not_answer_the_offer_is_given_up) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  const auto session = only<wire::Offer>(onsite).session;
  run_until(now.steady + wire::offer_timeout);
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::no_answer));
  BOOST_TEST(only<wire::Close>(onsite).session == session);
  send(onsite, accept_of(session));  // it comes late, and that is no offence
  BOOST_TEST(actions.empty());
  send(master, open_of("rpi1100", 2));
  BOOST_TEST(sent<wire::Offer>(onsite).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_declined_offer_is_refused_in_the_onsites_words) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  send(onsite, wire::Decline{.session = only<wire::Offer>(onsite).session,
                             .code = RefusalCode::declined,
                             .text = "the customer switched access off"});
  const auto refused = only<wire::Refused>(master);
  BOOST_TEST((refused.code == RefusalCode::declined));
  BOOST_TEST(refused.text == "rpi1100 declined it: the customer switched access off");
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(an_onsite_lost_before_its_answer_is_waited_for_again) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  lose(onsite);
  BOOST_TEST(sent<wire::Waiting>(master).size() == 1U);
  const auto back = online("rpi1100");
  BOOST_TEST(sent<wire::Offer>(back).size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_onsite_that_connects_anew_before_its_answer_gets_a_new_offer) {
  online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  const auto back = online("rpi1100");
  BOOST_TEST(sent<wire::Offer>(back).size() == 1U);
  BOOST_TEST(broker.sessions().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_cancelled_offer_is_taken_back) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  const auto session = only<wire::Offer>(onsite).session;
  send(master, wire::Cancel{.request = 1});
  BOOST_TEST(only<wire::Close>(onsite).session == session);
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_device_that_is_revoked_hears_so) {
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  take(broker.on_device_changed(name("rpi1100"), wire::GoodbyeCode::revoked, "rpi1100 was revoked",
                                now));
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::revoked));
}

BOOST_AUTO_TEST_CASE(too_many_opens_that_wait_are_refused) {
  const auto master = online("rpi2001");
  for (std::uint32_t i = 1; i <= opens_per_master_max; ++i) {
    send(master, open_of("rpi1100", i));
    BOOST_TEST(sent<wire::Waiting>(master).size() == 1U);
  }
  send(master, open_of("rpi1100", 99));
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::limit));
}

BOOST_AUTO_TEST_CASE(an_onsite_with_nothing_to_reach_is_not_opened) {
  wire::Info info;
  const auto onsite = online("rpi1100", info);
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  send(onsite, accept_of(only<wire::Offer>(onsite).session));
  BOOST_TEST((only<wire::Refused>(master).code == RefusalCode::not_allowed));
  BOOST_TEST(sent<wire::Close>(onsite).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_grant_speaks_of_the_lan_the_onsite_told_last) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(onsite, wire::InfoUpdate{.info = info_of("172.20.5.9/16")});
  send(master, open_of("rpi1100"));
  send(onsite, accept_of(only<wire::Offer>(onsite).session));
  const auto grant = wire::decode_grant(only<wire::Granted>(master).grant).value();
  BOOST_TEST(grant.allow.front().prefix.str() == "172.20.0.0/16");
}

BOOST_AUTO_TEST_CASE(the_tunnel_lies_outside_of_both_lans) {
  const auto onsite = online("rpi1100", info_of("192.168.128.10/24"));
  const auto master = online("rpi2001", info_of("192.168.129.10/24"));
  send(master, open_of("rpi1100"));
  send(onsite, accept_of(only<wire::Offer>(onsite).session));
  const auto grant = wire::decode_grant(only<wire::Granted>(master).grant).value();
  BOOST_TEST(grant.tunnel.str() == "192.168.130.0/30");
}

BOOST_AUTO_TEST_CASE(a_lan_that_covers_all_tunnels_is_refused_saying_so) {
  const auto onsite = online("rpi1100", info_of("192.168.1.10/16"));
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  send(onsite, accept_of(only<wire::Offer>(onsite).session));
  BOOST_TEST(only<wire::Refused>(master).text ==
             "no tunnel address is free: the LANs of the two devices cover 192.168.128.0/17");
}

BOOST_AUTO_TEST_CASE(a_key_that_fails_at_the_grant_leaves_nothing_behind) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("rpi1100"));
  issuer.broken = true;
  send(onsite, accept_of(only<wire::Offer>(onsite).session));
  BOOST_TEST(closed(onsite));
  BOOST_TEST(sent<wire::Granted>(master).empty());
  BOOST_TEST(broker.sessions().empty());
}

BOOST_AUTO_TEST_CASE(the_rule_that_decided_is_noted) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  send(master, open_of("nobody", 1));
  BOOST_TEST(noted(Event::Kind::open_asked));
  BOOST_TEST(all<Note>().back().event.rule == "same-system");
  auto asked = open_of("rpi1200", 2);
  asked.wait = false;
  send(master, asked);  // it is offline: no rule, but a fact
  BOOST_TEST(all<Note>().back().event.rule == "offline");
  send(master, open_of("rpi1100", 3));
  send(onsite, accept_of(only<wire::Offer>(onsite).session));
  const auto granted = all<Note>().back().event;
  BOOST_TEST((granted.kind == Event::Kind::granted));
  BOOST_TEST(granted.rule == "same-system");
  BOOST_TEST(granted.allow == "192.168.1.0/24, 192.168.1.1/32 udp 53, 192.168.1.1/32 tcp 53");
  BOOST_TEST(granted.seconds == 8 * 3600);
}

BOOST_AUTO_TEST_CASE(while_sessions_cannot_be_recorded_none_is_granted_and_those_that_run_go_on) {
  const auto onsite = online("rpi1100");
  const auto master = online("rpi2001");
  const auto other_onsite = online("rpi1200");
  const auto other = online("rpi2002");
  const auto running = run(master, onsite, open_of("rpi1100"));
  send(other, open_of("rpi1200", 1));
  const auto offered = only<wire::Offer>(other_onsite).session;
  broker.refuse_sessions("the disk is full");
  // One that was offered already is not granted any more, and its onsite is told.
  send(other_onsite, accept_of(offered));
  BOOST_TEST(only<wire::Refused>(other).text == "the disk is full");
  BOOST_TEST(only<wire::Close>(other_onsite).session == offered);
  send(other, open_of("rpi1200", 2));
  const auto refused = only<wire::Refused>(other);
  BOOST_TEST((refused.code == RefusalCode::server_trouble));
  BOOST_TEST(refused.text == "the disk is full");
  BOOST_TEST(all<Note>().back().event.rule == "audit");
  // A session that runs gets new legs.
  send(onsite, resume_of(running, 2));
  send(master, resume_of(running, 2));
  BOOST_TEST(sent<wire::Granted>(master).size() == 1U);
  broker.refuse_sessions("");
  send(other, open_of("rpi1200", 3));
  BOOST_TEST(sent<wire::Offer>(other_onsite).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_server_at_its_limit_of_sessions_says_so) {
  BrokerFixture fixture{{.sessions_max = 1}};
  const auto onsite = fixture.online("rpi1100");
  fixture.online("rpi1200");
  const auto first = fixture.online("rpi2001");
  const auto second = fixture.online("rpi2002");
  fixture.run(first, onsite, BrokerFixture::open_of("rpi1100"));
  fixture.send(second, BrokerFixture::open_of("rpi1200"));
  BOOST_TEST((fixture.only<wire::Refused>(second).code == RefusalCode::limit));
}
