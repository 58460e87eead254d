#define BOOST_TEST_MODULE device_session
#include "device_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel;
using namespace tunnel::core;
using namespace tunnel::core::test;

namespace {

/// A master whose session was granted with `grant`.
ControlActions grant_to(Device& master, const wire::Grant& grant, std::uint32_t request) {
  return master.control.on_message(master.granted(grant, request), t0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_good_grant_starts_the_session_with_the_exact_bytes) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open();
  const auto message = master.granted(master.grant(), request);
  const auto actions = master.control.on_message(message, t0);
  BOOST_REQUIRE(find<StartSession>(actions));
  BOOST_CHECK(find<StartSession>(actions)->grant_bytes == message.grant);
  BOOST_CHECK(master.control.session()->state() == State::granted);
}

BOOST_AUTO_TEST_CASE(a_grant_that_is_not_signed_ends_the_session_and_starts_nothing) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open();
  master.grants_are_signed = false;
  const auto actions = grant_to(master, master.grant(), request);
  BOOST_TEST(!find<StartSession>(actions));
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "protocol");
  BOOST_TEST(sent<wire::Cancel>(actions));
  BOOST_TEST(!master.control.session());
}

BOOST_AUTO_TEST_CASE(a_grant_that_does_not_answer_this_request_ends_the_session) {
  const auto refused = [](auto change) {
    Device master{Role::master};
    master.go_online();
    const auto request = master.open();
    auto grant = master.grant();
    change(grant);
    const auto actions = grant_to(master, grant, request);
    BOOST_TEST(!find<StartSession>(actions));
    BOOST_TEST(find<SessionOver>(actions));
    BOOST_REQUIRE(sent<wire::Close>(actions));
    BOOST_CHECK(sent<wire::Close>(actions)->code == CloseCode::protocol);
  };
  refused([](wire::Grant& g) { g.master_nonce.fill(std::byte{0xee}); });  // an old nonce
  refused([](wire::Grant& g) { g.onsite.name = name("rpi1101"); });
  refused([](wire::Grant& g) { g.master.name = name("master2"); });
  refused([](wire::Grant& g) { g.master.key_hash = hash_of(9); });
  refused([](wire::Grant& g) { g.onsite.key_hash = g.master.key_hash; });
  refused([](wire::Grant& g) { g.system = name("other"); });
  refused([](wire::Grant& g) { g.mode = wire::Mode::l2; });
}

BOOST_AUTO_TEST_CASE(a_tunnel_that_overlaps_an_own_network_is_refused) {
  Device master{Role::master};
  wire::Info info;
  info.lan = Ipv4Prefix::parse("192.168.200.10/24");
  master.control.on_connected(info);
  master.control.on_message(master.welcome(), t0);
  const auto request = master.open();
  BOOST_TEST(!find<StartSession>(grant_to(master, master.grant(), request)));
}

BOOST_AUTO_TEST_CASE(a_tunnel_that_overlaps_the_laptops_network_is_refused) {
  Device master{Role::master};
  master.go_online();
  master.control.set_networks({*Ipv4Prefix::parse("192.168.200.0/29")});
  const auto request = master.open();
  BOOST_TEST(!find<StartSession>(grant_to(master, master.grant(), request)));
}

BOOST_AUTO_TEST_CASE(an_onsite_takes_the_grant_of_its_offer_only) {
  Device onsite{Role::onsite};
  onsite.go_online();
  onsite.control.on_message(onsite.offer(77), t0);
  const auto actions = onsite.control.on_message(onsite.granted(onsite.grant(78)), t0);
  BOOST_TEST(!find<StartSession>(actions));
  BOOST_TEST(find<SessionOver>(actions));
}

BOOST_AUTO_TEST_CASE(every_session_has_a_nonce_of_its_own) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open(1);
  const auto first = master.grant();
  master.control.end(1, CloseCode::operator_, "");
  const auto second = master.open(2);
  BOOST_TEST(second != request);
  BOOST_TEST(!find<StartSession>(grant_to(master, first, second)));  // replayed
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_answer_open_is_given_up) {
  Device master{Role::master};
  master.go_online();
  master.open();
  const auto deadline = master.control.next_deadline();
  BOOST_CHECK(deadline == t0 + DeviceSession::answer_timeout);
  BOOST_TEST(master.control.on_deadline(deadline - 1ms).empty());
  const auto actions = master.control.on_deadline(deadline);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "no_answer");
  BOOST_TEST(sent<wire::Cancel>(actions));
}

BOOST_AUTO_TEST_CASE(a_master_waits_for_an_offline_onsite_for_as_long_as_it_takes) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open();
  const auto waits = master.control.on_message(
      wire::Waiting{.request = request, .code = wire::RefusalCode::offline, .text = "offline"}, t0);
  BOOST_TEST(find<SessionWaits>(waits));
  BOOST_TEST(master.control.on_deadline(t0 + 1000h).empty());
  BOOST_TEST(find<StartSession>(grant_to(master, master.grant(), request)));
}

BOOST_AUTO_TEST_CASE(a_refusal_ends_the_session_with_the_servers_sentence) {
  Device master{Role::master};
  master.go_online();
  const auto request = master.open();
  const auto actions = master.control.on_message(
      wire::Refused{
          .request = request, .code = wire::RefusalCode::unknown_device, .text = "who is that?"},
      t0);
  BOOST_REQUIRE(find<SessionOver>(actions));
  const auto& end = find<SessionOver>(actions)->end;
  BOOST_TEST(end.code == "unknown_device");
  BOOST_TEST(end.text == "who is that?");
  BOOST_TEST(end.failed);
}

BOOST_AUTO_TEST_CASE(a_close_of_the_server_ends_the_session_with_its_cause) {
  Device onsite{Role::onsite};
  onsite.go_online();
  onsite.control.on_message(onsite.offer(), t0);
  onsite.control.on_message(onsite.granted(onsite.grant()), t0);
  BOOST_TEST(onsite.control.on_message(wire::Close{.session = 78}, t0).empty());  // of another one
  const auto actions = onsite.control.on_message(
      wire::Close{.session = 77, .code = CloseCode::revoked, .text = "stolen"}, t0);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "revoked");
  BOOST_TEST(find<SessionOver>(actions)->end.text.find("stolen") != std::string::npos);
  BOOST_TEST(!sent<wire::Close>(actions));  // it knows
}

BOOST_AUTO_TEST_CASE(an_end_from_here_is_told_to_the_server_with_its_cause) {
  Device onsite{Role::onsite};
  onsite.go_online();
  onsite.control.on_message(onsite.offer(), t0);
  onsite.control.on_message(onsite.granted(onsite.grant()), t0);
  const auto id = onsite.control.session()->id();
  const auto actions = onsite.control.end(id, CloseCode::customer, "lunch");
  BOOST_REQUIRE(sent<wire::Close>(actions));
  BOOST_CHECK(sent<wire::Close>(actions)->code == CloseCode::customer);
  BOOST_TEST(sent<wire::Close>(actions)->text == "lunch");
  BOOST_TEST(onsite.control.end(id, CloseCode::customer, "again").empty());
}

BOOST_AUTO_TEST_CASE(a_granted_session_that_never_comes_up_is_given_up) {
  Device master{Role::master};
  master.go_online();
  grant_to(master, master.grant(), master.open());
  const auto actions = master.control.on_deadline(t0 + DeviceSession::establish_timeout);
  BOOST_REQUIRE(find<SessionOver>(actions));
  BOOST_TEST(find<SessionOver>(actions)->end.code == "no_echo");
}

BOOST_AUTO_TEST_CASE(an_established_session_has_no_deadline_of_control) {
  Device master{Role::master};
  master.go_online();
  grant_to(master, master.grant(), master.open());
  master.control.on_established(1, t0);
  BOOST_TEST(master.control.on_deadline(t0 + 100h).empty());
}

BOOST_AUTO_TEST_CASE(only_what_somebody_wanted_is_no_failure) {
  BOOST_TEST(!SessionEnd::from(CloseCode::operator_, "").failed);
  BOOST_TEST(!SessionEnd::from(CloseCode::time_limit, "").failed);
  BOOST_TEST(SessionEnd::from(CloseCode::peer_lost, "").failed);
  BOOST_TEST(SessionEnd::from(wire::RefusalCode::busy, "").failed);
}
