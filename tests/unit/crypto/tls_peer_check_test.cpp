#include "crypto/tls_context.hpp"
#include "support/memory_tls.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel::crypto {
namespace {

using test::TlsPair;
using test::World;

const World& world() {
  static const World made;
  return made;
}
const World& other_world() {
  static const World made;
  return made;
}

struct Outcome {
  bool finished;
  std::string client, server;
};
Outcome handshake(const TlsContext& client, const TlsContext& server) {
  TlsPair pair{client, server};
  const bool finished = pair.handshake();
  return {finished, pair.client.failure(), pair.server.failure()};
}

TlsContext end(const World::Device& own, const World::Device& peer, bool check_dates = true) {
  return TlsContext::end_to_end(own.credentials(), world().ca(), peer.identity, peer.key.hash(),
                                check_dates);
}

constexpr auto somebody_else = "the peer's certificate belongs to somebody else";

}  // namespace

BOOST_AUTO_TEST_CASE(the_two_of_a_grant_reach_each_other) {
  const auto client = end(world().master, world().onsite);
  const auto server = end(world().onsite, world().master);
  TlsPair pair{client, server};
  BOOST_REQUIRE_MESSAGE(pair.handshake(), pair.client.failure() << "; " << pair.server.failure());
  BOOST_TEST(negotiated_alpn(pair.server.ssl()) == "rdv-e2e/1");
  BOOST_TEST((tls_peer(pair.client.ssl()).value().identity == world().onsite.identity));
  BOOST_TEST((tls_peer(pair.server.ssl()).value().identity == world().master.identity));
  pair.client.write("to the onsite");
  pair.server.write("to the master");
  pair.carry();
  BOOST_TEST(pair.server.read() == "to the onsite");
  BOOST_TEST(pair.client.read() == "to the master");
}

BOOST_AUTO_TEST_CASE(another_key_of_the_same_name_is_refused_from_both_sides) {
  const auto onsite2 = world().device("onsite", "rpi1100", unix_now(), test::day);
  const auto master2 = world().device("master", "anna", unix_now(), test::day);
  const auto by_master =
      handshake(end(world().master, world().onsite), end(onsite2, world().master));
  BOOST_TEST(!by_master.finished);
  BOOST_TEST(by_master.client == somebody_else);
  const auto by_onsite =
      handshake(end(master2, world().onsite), end(world().onsite, world().master));
  BOOST_TEST(!by_onsite.finished);
  BOOST_TEST(by_onsite.server == somebody_else);
  BOOST_TEST(by_onsite.client.find("(alert from the peer)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_same_key_under_another_identity_is_refused_from_both_sides) {
  for (const auto& [role, name] : {std::pair{"onsite", "rpi1101"}, {"master", "rpi1100"}}) {
    auto changed = world().device(role, name, unix_now(), test::day);
    changed.certificate =
        world().authority.issue_device(world().onsite.key, changed.identity, unix_now(), test::day);
    const TlsContext server =
        TlsContext::end_to_end({world().onsite.key, changed.certificate}, world().ca(),
                               world().master.identity, world().master.key.hash());
    BOOST_TEST(handshake(end(world().master, world().onsite), server).client == somebody_else);
  }
  const auto bob = world().device("master", "bob", unix_now(), test::day);
  const auto as_bob =
      world().authority.issue_device(world().master.key, bob.identity, unix_now(), test::day);
  const TlsContext client =
      TlsContext::end_to_end({world().master.key, as_bob}, world().ca(), world().onsite.identity,
                             world().onsite.key.hash());
  BOOST_TEST(handshake(client, end(world().onsite, world().master)).server == somebody_else);
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_authority_is_refused_everywhere) {
  const auto& stranger = other_world();
  const auto by_master =
      handshake(end(world().master, world().onsite),
                TlsContext::end_to_end(stranger.onsite.credentials(), world().ca(),
                                       world().master.identity, world().master.key.hash()));
  BOOST_TEST(!by_master.finished);
  BOOST_TEST(by_master.client.starts_with("the peer's certificate is not accepted: "));
  const auto server = TlsContext::server(world().server_credentials(), world().ca());
  const auto intruder =
      TlsContext::device(stranger.onsite.credentials(), world().ca(), "rdv-control/1");
  const auto refused = handshake(intruder, server);
  BOOST_TEST(!refused.finished);
  BOOST_TEST(refused.client == "unknown ca (alert from the peer)");
  const auto false_server = TlsContext::server(stranger.server_credentials(), stranger.ca());
  const auto device =
      TlsContext::device(world().onsite.credentials(), world().ca(), "rdv-control/1");
  BOOST_TEST(handshake(device, false_server)
                 .client.starts_with("the peer's certificate is not accepted: "));
}

BOOST_AUTO_TEST_CASE(a_device_cannot_play_the_server_and_the_server_no_device) {
  const auto false_server = TlsContext::server(world().onsite.credentials(), world().ca());
  const auto device =
      TlsContext::device(world().master.credentials(), world().ca(), "rdv-control/1");
  BOOST_TEST(handshake(device, false_server).client == somebody_else);
  const auto enrolling = TlsContext::enrolling(world().pin());
  BOOST_TEST(handshake(enrolling, false_server).client == somebody_else);
  const auto server = TlsContext::server(world().server_credentials(), world().ca());
  const auto server_as_client =
      TlsContext::device(world().server_credentials(), world().ca(), "rdv-control/1");
  BOOST_TEST(!handshake(server_as_client, server).finished);
}

BOOST_AUTO_TEST_CASE(an_enrolling_device_trusts_the_authority_of_its_code_alone) {
  const auto server = TlsContext::server(world().server_credentials(), world().ca());
  const auto right = handshake(TlsContext::enrolling(world().pin()), server);
  BOOST_TEST(right.finished, right.client << "; " << right.server);
  const auto wrong = handshake(TlsContext::enrolling(other_world().pin()), server);
  BOOST_TEST(!wrong.finished);
  BOOST_TEST(wrong.client == "the peer's certificate is not accepted: certificate not trusted");
  BOOST_TEST(!wrong.server.empty());
}

BOOST_AUTO_TEST_CASE(an_enrolling_device_refuses_a_chain_without_the_authority) {
  const auto server = TlsContext::server(world().server_credentials(), world().ca());
  SSL_CTX_clear_extra_chain_certs(server.get());
  ::SSL_CTX_set_mode(server.get(), SSL_MODE_NO_AUTO_CHAIN);
  BOOST_TEST(!handshake(TlsContext::enrolling(world().pin()), server).finished);
}

BOOST_AUTO_TEST_CASE(an_impostor_with_the_right_authority_in_its_chain_is_refused) {
  // Its own certificate is not signed by the CA that it sends along.
  const auto impostor = TlsContext::server(other_world().server_credentials(), world().ca());
  const auto refused = handshake(TlsContext::enrolling(world().pin()), impostor);
  BOOST_TEST(!refused.finished);
  BOOST_TEST(refused.client.starts_with("the peer's certificate is not accepted: "));
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_refused_unless_the_clock_is_not_to_be_trusted) {
  const auto expired = world().device("onsite", "rpi1100", unix_now() - 10 * test::day, test::day);
  const auto future = world().device("onsite", "rpi1100", unix_now() + 10 * test::day, test::day);
  for (const auto& [peer, why] : {std::pair{&expired, "certificate has expired"},
                                  {&future, "certificate is not yet valid"}}) {
    const auto server = end(*peer, world().master);
    const auto checked = handshake(end(world().master, *peer), server);
    BOOST_TEST(!checked.finished);
    BOOST_TEST(checked.client == std::string{"the peer's certificate is not accepted: "} + why);
    const auto unchecked = handshake(end(world().master, *peer, false), server);
    BOOST_TEST(unchecked.finished, unchecked.client);
  }
}

BOOST_AUTO_TEST_CASE(a_device_with_a_wrong_clock_still_checks_who_the_server_is) {
  const World old{unix_now() - 40 * 365 * test::day};
  const auto server = TlsContext::server(old.server_credentials(), old.ca());
  const auto control = [&](const World& trusted, bool dates) {
    return TlsContext::device(old.onsite.credentials(), trusted.ca(), "rdv-control/1", dates);
  };
  TlsPair unchecked{control(old, false), server};
  unchecked.client.step();
  unchecked.carry();
  unchecked.server.step();
  unchecked.carry();
  BOOST_TEST(
      unchecked.client
          .step());  // it takes the server; the server, whose clock is right, then refuses it
  BOOST_TEST(!handshake(control(old, true), server).finished);
  BOOST_TEST(!handshake(control(world(), false), server).finished);
  BOOST_TEST(handshake(TlsContext::enrolling(old.pin()), server).finished);
}

BOOST_AUTO_TEST_CASE(the_server_refuses_an_expired_device_and_says_so) {
  const auto expired = world().device("onsite", "rpi1100", unix_now() - 10 * test::day, test::day);
  const auto server = TlsContext::server(world().server_credentials(), world().ca());
  const auto refused =
      handshake(TlsContext::device(expired.credentials(), world().ca(), "rdv-control/1"), server);
  BOOST_TEST(!refused.finished);
  BOOST_TEST(refused.server == "the peer's certificate is not accepted: certificate has expired");
  BOOST_TEST(refused.client == "certificate expired (alert from the peer)");
}

BOOST_AUTO_TEST_CASE(the_inner_session_refuses_a_client_without_its_protocol) {
  const auto client =
      TlsContext::device(world().master.credentials(), world().ca(), "rdv-control/1");
  BOOST_TEST(handshake(client, end(world().onsite, world().master)).client ==
             "no application protocol (alert from the peer)");
}

}  // namespace tunnel::crypto
