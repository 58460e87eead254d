// A session whose legs die, over real TLS: new legs for the same session, by this server and the
// next.
#define BOOST_TEST_MODULE net_resume
#include "base/session_id.hpp"
#include "net_pair.hpp"

#include <boost/test/unit_test.hpp>

using namespace support;
using namespace std::chrono_literals;
using wire::CloseCode;

namespace {

struct InterruptedSession : JoinedSession {
  /// Of a session whose first legs do not stand yet, the loss of one is the end.
  InterruptedSession() { legs.greet(); }

  std::uint64_t id() const { return granted.grant.session; }
  std::string state() {
    return server.in_server([](rdv::Server& s) {
      const auto all = s.control().list_sessions();
      return all.empty() ? std::string{"none"} : std::string{to_string(all.front().state)};
    });
  }
  static void reset(LegPeer& leg) {
    leg.outer().tls().tcp().reset_on_close();
    leg.outer().tls().tcp().close();
  }
  bool is_refused(const Device& device, std::uint32_t epoch) const {
    FramePeer leg{pair.port,
                  crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_data),
                  wire::Channel::data};
    leg.send(wire::encode(wire::Attach{granted.grant.session, epoch}));
    const auto frame = leg.receive();
    return frame && frame->type == wire::FrameType::detach && !leg.receive();
  }
  /// New legs of a new grant carry bytes both ways.
  void goes_on(std::uint32_t epoch) {
    const auto next = pair.resume(id(), epoch);
    BOOST_TEST(next.grant.session == id());
    BOOST_TEST(next.grant.epoch == epoch);
    BOOST_TEST((next.grant.tunnel == granted.grant.tunnel));
    BOOST_TEST((next.grant.allow == granted.grant.allow));
    BOOST_TEST(next.grant.seconds <= granted.grant.seconds);
    BOOST_TEST(is_refused(pair.master_device, epoch - 1));
    LegPair fresh{pair, next};
    fresh.join();
    BOOST_CHECK_NO_THROW(fresh.greet());
    BOOST_TEST(state() == "running");
    pair.close(next);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_leg_that_is_reset_interrupts_the_session_and_new_legs_go_on,
                        InterruptedSession) {
  reset(legs.master);
  BOOST_TEST(legs.onsite.outer().tls().tcp().is_closed_within(at_once));
  BOOST_TEST(pair.onsite->expect<wire::Interrupted>().epoch == 2U);
  BOOST_TEST(pair.master->expect<wire::Interrupted>().session == id());
  BOOST_TEST(state() == "interrupted");
  BOOST_TEST(is_refused(pair.onsite_device, 1));
  goes_on(2);
  server.serves_a_good_client();
}

BOOST_FIXTURE_TEST_CASE(a_resume_closes_the_legs_of_the_old_epoch, InterruptedSession) {
  pair.master->send(wire::Resume{id(), 2, crypto::random_nonce()});
  BOOST_TEST(pair.onsite->expect<wire::Interrupted>().epoch == 2U);
  BOOST_TEST(legs.onsite.outer().tls().tcp().is_closed_within(at_once));
  BOOST_TEST(legs.master.outer().tls().tcp().is_closed_within(at_once));
  goes_on(2);
}

BOOST_FIXTURE_TEST_CASE(both_may_fall_again_and_again, InterruptedSession) {
  std::unique_ptr<LegPair> present;
  for (std::uint32_t epoch = 2; epoch < 8; ++epoch) {
    auto& falling = present ? *present : legs;
    reset(epoch % 2 == 0 ? falling.master : falling.onsite);
    reset(epoch % 2 == 0 ? falling.onsite : falling.master);
    const auto next = pair.resume(id(), epoch);
    present = std::make_unique<LegPair>(pair, next);
    present->join();
    BOOST_CHECK_NO_THROW(present->greet());
  }
  BOOST_TEST(state() == "running");
}

BOOST_FIXTURE_TEST_CASE(the_next_server_goes_on_with_the_session, InterruptedSession) {
  for (std::uint32_t epoch = 2; epoch < 4; ++epoch) {
    server.restart();
    BOOST_TEST(state() == "interrupted");
    pair.come_back(id());
    BOOST_TEST(pair.master->expect<wire::Interrupted>().epoch == epoch);
    const auto next = pair.resume(id(), epoch);
    BOOST_TEST((next.grant.tunnel == granted.grant.tunnel));
    LegPair fresh{pair, next};
    fresh.join();
    BOOST_CHECK_NO_THROW(fresh.greet());
  }
  server.restart();
  pair.come_back(id());
  goes_on(4);
  server.restart();
  BOOST_TEST(state() == "none");
}

BOOST_FIXTURE_TEST_CASE(what_was_closed_does_not_come_back_with_the_next_server,
                        InterruptedSession) {
  reset(legs.master);
  (void)pair.onsite->expect<wire::Interrupted>();
  server.in_server([this](rdv::Server& s) {
    s.control().close_session(tunnel::format_session_id(id()), "maintenance");
    return 0;
  });
  BOOST_TEST((pair.onsite->expect<wire::Close>().code == CloseCode::administrator));
  server.restart();
  BOOST_TEST(state() == "none");
  pair.come_back(id());
  BOOST_TEST(pair.master->expect<wire::Close>().session == id());
  pair.master->send(wire::Resume{id(), 2, crypto::random_nonce()});
  BOOST_TEST(pair.master->expect<wire::Close>().session == id());
}

BOOST_FIXTURE_TEST_CASE(what_was_revoked_does_not_come_back, InterruptedSession) {
  reset(legs.onsite);
  (void)pair.master->expect<wire::Interrupted>();
  server.in_server([](rdv::Server& s) {
    s.control().revoke_device("o0", "stolen");
    return 0;
  });
  BOOST_TEST((pair.master->expect<wire::Close>().code == CloseCode::revoked));
  pair.master->send(wire::Resume{id(), 2, crypto::random_nonce()});
  BOOST_TEST((pair.master->expect<wire::Close>().code == CloseCode::revoked));
  server.restart();
  BOOST_TEST(state() == "none");
}

BOOST_AUTO_TEST_CASE(what_has_expired_does_not_come_back) {
  constexpr std::uint32_t seconds = 5;  // time enough for its legs to come
  ServerFixture server{rdv::Limits{.session_seconds = seconds, .session_seconds_max = seconds}};
  Pair pair{server, 0, Cut::as_written};
  const auto granted = pair.open();
  const auto opened = std::chrono::steady_clock::now();
  LegPair legs{pair, granted};
  legs.join();
  server.stop();
  std::this_thread::sleep_until(opened + std::chrono::seconds{seconds});
  server.restart();
  pair.come_back(granted.grant.session);
  BOOST_TEST(pair.onsite->expect<wire::Close>().session == granted.grant.session);
  BOOST_TEST(pair.master->expect<wire::Close>().session == granted.grant.session);
  pair.master->send(wire::Resume{granted.grant.session, 2, crypto::random_nonce()});
  BOOST_TEST(pair.master->expect<wire::Close>().session == granted.grant.session);
  BOOST_TEST(server.in_server([](rdv::Server& s) { return s.control().list_sessions().size(); }) ==
             0U);
}
