#define BOOST_TEST_MODULE net_session
#include "net_pair.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>

using namespace support;
using namespace std::chrono_literals;
using wire::Role;

namespace {

constexpr std::size_t pairs = 4;
constexpr std::size_t sessions_per_pair = 16;  // of each way to cut: 4 x 16 x 4 = 256 sessions

/// Bytes that cannot be mistaken for those of another session, direction or place.
Bytes pattern(std::uint64_t seed, std::size_t length) {
  std::mt19937_64 random{seed};
  Bytes bytes(length);
  for (auto& byte : bytes)
    byte = static_cast<std::byte>(random());
  return bytes;
}

/// One end of a session: joins, and sends and takes its bytes in turns of growing length.
void exchange(LegPeer& leg, std::uint64_t own_seed, std::uint64_t peer_seed, std::size_t total,
              bool speaks_first) {
  leg.join();
  const auto out = pattern(own_seed, total);
  const auto expected = pattern(peer_seed, total);
  Bytes in;
  for (std::size_t done = 0, part = 1; done < total;
       done += part, part = std::min(part * 7, total - done)) {
    const auto next = ByteView{out}.subspan(done, part);
    if (speaks_first) leg.send(next);
    const auto got = leg.receive(part);
    in.insert(in.end(), got.begin(), got.end());
    if (!speaks_first) leg.send(next);
  }
  leg.outer().tls().flush();
  if (in != expected) throw PeerError{"the bytes were altered"};
}

/// A session from Open to Close with bytes in both directions; both ends see the end of their leg.
void whole_session(Pair& pair, Cut cut, std::size_t total) {
  const auto granted = pair.open();
  const auto id = granted.grant.session;
  auto onsite_end = std::async(std::launch::async, [&] {
    LegPeer leg{pair.port, pair.onsite_device, granted.grant, cut};
    exchange(leg, id, id + 1, total, false);
    if (!leg.is_ended()) throw PeerError{"bytes behind the last"};
  });
  LegPeer leg{pair.port, pair.master_device, granted.grant, cut};
  exchange(leg, id + 1, id, total, true);
  pair.close(granted);
  if (!leg.is_ended()) throw PeerError{"bytes behind the last"};
  onsite_end.get();
}

/// A session whose relay may carry nothing for one second, and that says a word each half.
/// @return nothing when this machine stood still for a second itself, which proves nothing
std::unique_ptr<JoinedSession> kept_by_a_word_now_and_then() {
  using Clock = std::chrono::steady_clock;
  auto began = Clock::now();
  const auto stood_still = [&] { return Clock::now() - began >= 1s; };
  try {
    auto session = std::make_unique<JoinedSession>(rdv::Limits{.relay_idle_seconds = 1});
    began = Clock::now();
    for (int i = 0; i < 4; ++i) {
      std::this_thread::sleep_for(500ms);
      const auto next = Clock::now();
      session->legs.onsite.send(tunnel::as_bytes("alive"));
      BOOST_TEST(tunnel::as_text(session->legs.master.receive(5)) == "alive");
      if (stood_still()) return nullptr;
      began = next;
    }
    return session;
  } catch (const PeerError&) {
    if (!stood_still()) throw;
    return nullptr;
  }
}

}  // namespace

BOOST_DATA_TEST_CASE(bytes_arrive_as_they_were_sent_however_they_are_cut,
                     boost::unit_test::data::make({0, 1, 2, 3}), cut_number) {
  const auto cut = static_cast<Cut>(cut_number);
  const std::size_t total = cut == Cut::single_bytes ? 3'000 : 200'000;
  ServerFixture server;
  std::atomic<std::size_t> good = 0;
  std::vector<std::future<void>> workers;
  for (std::size_t n = 0; n < pairs; ++n)
    workers.push_back(std::async(std::launch::async, [&, n] {
      Pair pair{server, n, cut};
      for (std::size_t i = 0; i < sessions_per_pair; ++i) {
        whole_session(pair, cut, total);
        ++good;
      }
    }));
  for (auto& worker : workers)
    BOOST_CHECK_NO_THROW(worker.get());
  BOOST_TEST(good == pairs * sessions_per_pair);
  BOOST_TEST(server.in_server([](rdv::Server& s) { return s.control().list_sessions().size(); }) ==
             0U);
}

BOOST_AUTO_TEST_CASE(the_first_leg_may_begin_its_handshake_before_the_second_comes) {
  ServerFixture server;
  Pair pair{server, 0, Cut::as_written};
  for (const bool master_first : {true, false}) {
    const auto granted = pair.open();
    const auto early = [&](const Device& device) {
      LegPeer leg{pair.port, device, granted.grant, Cut::as_written};
      leg.join();
      return leg.receive(5);
    };
    const auto& first = master_first ? pair.master_device : pair.onsite_device;
    const auto& second = master_first ? pair.onsite_device : pair.master_device;
    auto waiting = std::async(std::launch::async, early, std::cref(first));
    std::this_thread::sleep_for(200ms);
    LegPeer leg{pair.port, second, granted.grant, Cut::as_written};
    leg.join();
    leg.send(tunnel::as_bytes("hello"));
    BOOST_TEST(tunnel::as_text(waiting.get()) == "hello");
    pair.close(granted);
  }
}

BOOST_AUTO_TEST_CASE(bytes_of_the_outer_tls_behind_switch_end_the_session) {
  ServerFixture server;
  Pair pair{server, 0, Cut::as_written};
  const auto granted = pair.open();
  LegPeer onsite{pair.port, pair.onsite_device, granted.grant, Cut::as_written};
  FramePeer master{pair.port,
                   crypto::TlsContext::device(pair.master_device.credentials(),
                                              pair.master_device.ca, wire::alpn_data),
                   wire::Channel::data};
  master.send(wire::encode(wire::Attach{granted.grant.session, granted.grant.epoch}));
  auto last = wire::encode_frame(wire::FrameType::switch_, {});
  last.push_back(std::byte{0});
  master.send(ByteView{last});
  const auto close = pair.onsite->expect<wire::Close>();
  BOOST_TEST((close.code == wire::CloseCode::protocol));
  const auto detach = onsite.outer().receive();
  BOOST_TEST_REQUIRE(detach.has_value());
  BOOST_TEST((detach->type == wire::FrameType::detach));
  server.serves_a_good_client();
}

BOOST_AUTO_TEST_CASE(a_leg_is_refused_that_is_not_of_the_session) {
  ServerFixture server;
  Pair pair{server, 0, Cut::as_written};
  const auto stranger = server.new_device("stranger", Role::master);
  const auto granted = pair.open();
  const auto refused = [&](const Device& device, wire::Attach attach) {
    FramePeer leg{pair.port,
                  crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_data),
                  wire::Channel::data};
    leg.send(wire::encode(attach));
    const auto frame = leg.receive();
    return frame && frame->type == wire::FrameType::detach && !leg.receive();
  };
  BOOST_TEST(refused(stranger, {granted.grant.session, granted.grant.epoch}));
  BOOST_TEST(refused(pair.master_device, {granted.grant.session + 1, granted.grant.epoch}));
  BOOST_TEST(refused(pair.master_device, {granted.grant.session, granted.grant.epoch + 1}));
  LegPair legs{pair, granted};
  legs.join();
  BOOST_TEST(refused(pair.master_device, {granted.grant.session, granted.grant.epoch}));
  legs.master.send(tunnel::as_bytes("still there"));
  BOOST_TEST(tunnel::as_text(legs.onsite.receive(11)) == "still there");
}

BOOST_AUTO_TEST_CASE(a_receiver_that_takes_nothing_holds_up_nobody_else) {
  ServerFixture server;
  Pair frozen{server, 0, Cut::as_written};
  Pair lively{server, 1, Cut::as_written};
  const auto frozen_session = frozen.open();
  LegPair stuck{frozen, frozen_session};
  stuck.join();
  const timeval short_time{0, 300'000};
  ::setsockopt(stuck.master.outer().tls().tcp().fd(), SOL_SOCKET, SO_SNDTIMEO, &short_time,
               sizeof short_time);
  BOOST_CHECK_THROW(stuck.master.send(Bytes(64 << 20)),
                    PeerError);  // until every buffer on the way is full
  BOOST_CHECK_NO_THROW(whole_session(lively, Cut::as_written, 500'000));
  // The other direction of the stuck session has a life of its own.
  stuck.onsite.send(tunnel::as_bytes("backwards"));
  BOOST_TEST(tunnel::as_text(stuck.master.receive(9)) == "backwards");
}

BOOST_FIXTURE_TEST_CASE(revoking_a_device_cuts_its_session_at_once, JoinedSession) {
  const auto carried = server.in_server([](rdv::Server& s) {
    s.control().revoke_device("o0", "stolen");
    return s.control().list_sessions().size();
  });
  BOOST_TEST(carried == 0U);
  BOOST_TEST(legs.master.outer().tls().tcp().is_closed_within(at_once));
  BOOST_TEST(legs.onsite.outer().tls().tcp().is_closed_within(at_once));
  BOOST_TEST((pair.master->expect<wire::Close>().code == wire::CloseCode::revoked));
  BOOST_TEST((pair.onsite->expect<wire::Goodbye>().code == wire::GoodbyeCode::revoked));
  BOOST_TEST(!pair.onsite->receive().has_value());
}

BOOST_AUTO_TEST_CASE(a_relay_that_carries_nothing_interrupts_its_session) {
  std::unique_ptr<JoinedSession> idle;
  for (int attempt = 0; attempt < 5 && !idle; ++attempt)
    idle = kept_by_a_word_now_and_then();
  BOOST_REQUIRE(idle);
  BOOST_TEST(idle->legs.master.outer().tls().tcp().is_closed_within(at_once));
  BOOST_TEST(idle->pair.master->expect<wire::Interrupted>().epoch == 2U);
}

BOOST_AUTO_TEST_CASE(legs_that_never_switch_are_ended) {
  ServerFixture server;
  Pair pair{server, 0, Cut::as_written};
  const auto granted = pair.open();
  LegPair legs{pair, granted};
  legs.master.outer().tls().flush();
  legs.onsite.outer().tls().flush();
  const auto detach = legs.master.outer().receive();
  BOOST_TEST_REQUIRE(detach.has_value());
  BOOST_TEST((detach->type == wire::FrameType::detach));
  BOOST_TEST((pair.onsite->expect<wire::Close>().code == wire::CloseCode::network));
}

BOOST_FIXTURE_TEST_CASE(what_was_sent_before_the_end_still_arrives, JoinedSession) {
  const auto last = pattern(1, 300'000);
  auto sender = std::async(std::launch::async, [&] {
    legs.master.send(last);
    legs.master.outer().tls().tcp().end_stream();
  });
  BOOST_TEST((legs.onsite.receive(last.size()) == last));
  BOOST_TEST(legs.onsite.is_ended());
  sender.get();
}

BOOST_FIXTURE_TEST_CASE(a_server_that_stops_says_goodbye_and_closes_its_legs, JoinedSession) {
  auto stopping = std::async(std::launch::async, [&] { server.stop(); });
  const auto goodbye = pair.master->expect<wire::Goodbye>();
  BOOST_TEST((goodbye.code == wire::GoodbyeCode::shutting_down));
  BOOST_TEST(goodbye.retry_after_ms > 0U);
  BOOST_TEST(legs.onsite.outer().tls().tcp().is_closed_within(at_once));
  pair.master->tls().tcp().close();
  pair.onsite->tls().tcp().close();
  tunnel::test::RunningTime time;
  while (stopping.wait_for(20ms) != std::future_status::ready && time.turn() < at_once) {
  }
  BOOST_TEST((stopping.wait_for(0s) == std::future_status::ready));
}
