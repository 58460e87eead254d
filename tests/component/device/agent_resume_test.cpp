#define BOOST_TEST_MODULE agent_resume
#include "component/device/agent_end.hpp"
#include "io/tun_keeper.hpp"
#include "support/tcp_packet.hpp"

#include <boost/test/unit_test.hpp>

using namespace agent_test;
using namespace std::chrono_literals;
using tunnel::io::TunKeeper;
using tunnel::test::port_of;
using tunnel::test::sequence_of;
using tunnel::test::tcp_packet;

/// A pump whose leg is lost, and another one on the same TUN.
namespace {

/// A session whose ends keep their TUN when their leg is lost.
struct Resumable : Session {
  explicit Resumable(tunnel::core::SessionWatch::Times times = {}) : Session{times} {
    master.keeps_tun = onsite.keeps_tun = true;
    BOOST_REQUIRE(run_until_established());
  }
  void cut() {
    relay.break_leg(0);
    relay.break_leg(1);
    BOOST_REQUIRE(run_until_over());
  }
  /// New legs, of the next epoch; runs until both are established.
  void resume() {
    asio::co_spawn(io, relay.accept_leg(), asio::detached);
    asio::co_spawn(io, master.run(relay.endpoint()), asio::detached);
    io.run_for(100ms);
    asio::co_spawn(io, relay.accept_leg(), asio::detached);
    asio::co_spawn(io, onsite.run(relay.endpoint()), asio::detached);
  }
};

/// Of all that it has sent, nothing is left for another leg.
bool is_acknowledged(End& end) {
  tunnel::core::KeepBuffer keep;
  end.pump().leave_to(keep, 1);
  return keep.packets() == 0;
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_AUTO_TEST_CASE(a_leg_that_is_cut_is_lost_and_one_that_was_ended_is_not) {
  Session cut;
  BOOST_REQUIRE(cut.run_until_established());
  cut.relay.break_leg(0);
  BOOST_REQUIRE(cut.run_until_over());
  BOOST_TEST(cut.master.end->is_lost);
  BOOST_TEST(cut.onsite.end->is_lost);

  Session ended;
  BOOST_REQUIRE(ended.run_until_established());
  ended.master.pump().stop(CloseCode::network, "the agent wants it so");
  BOOST_REQUIRE(ended.run_until_over());
  BOOST_TEST(!ended.master.end->is_lost);
  BOOST_TEST(!ended.onsite.end->is_lost);  // whatever the code, it was said

  Session forged;
  forged.relay.meddle = [](std::size_t, std::size_t index, Bytes record) {
    if (index == 5) record.back() ^= std::byte{1};
    return std::vector<Bytes>{std::move(record)};
  };
  BOOST_REQUIRE(forged.run_until([&] {
    forged.master.give(packet(master_address, "192.168.1.50", "x"));
    return forged.onsite.is_over();
  }));
  BOOST_CHECK(forged.onsite.end->code == CloseCode::integrity);
  BOOST_TEST(!forged.onsite.end->is_lost);
}

BOOST_AUTO_TEST_CASE(another_pump_goes_on_with_the_same_tun_and_sends_what_was_kept_first) {
  Resumable session;
  session.cut();
  auto& master = session.master;
  TunKeeper keeper{session.io.get_executor(), master.tun()};
  asio::co_spawn(session.io, keeper.run(), asio::detached);
  master.give(tcp_packet({.port = 1, .sequence = 1}));
  master.give(tcp_packet({.port = 1, .sequence = 2}));
  master.give(tcp_packet({.port = 2, .sequence = 3, .text_bytes = 20'000, .segment_bytes = 1448}));
  BOOST_REQUIRE(session.run_until(
      [&] { return keeper.keep().packets() == 3 && keeper.keep().bytes() > 20'000; }));
  keeper.stop();
  master.kept = keeper.take();
  master.give(tcp_packet({.port = 3, .sequence = 4}));  // while nobody reads

  session.resume();
  const auto& received = session.onsite.received;
  BOOST_REQUIRE(session.run_until(
      [&] { return master.established && session.onsite.established && received.size() == 4; }));
  for (std::uint32_t i = 0; i < 4; ++i)
    BOOST_TEST(sequence_of(received[i]) == i + 1);
  session.onsite.give(packet("192.168.1.50", master_address, "back"));
  BOOST_REQUIRE(session.run_until([&] { return !master.received.empty(); }));
  BOOST_TEST(text_of(master.received[0]) == "back");
}

BOOST_AUTO_TEST_CASE(a_session_is_resumed_ten_times_on_one_tun) {
  Resumable session;
  const auto next_legs = [](std::size_t leg) { return leg ^ 1U; };
  session.relay.raw_goes_to = next_legs;
  for (std::size_t round = 0; round < 10; ++round) {
    session.relay.break_leg(2 * round);
    session.relay.break_leg(2 * round + 1);
    BOOST_REQUIRE(session.run_until_over());
    session.resume();
    BOOST_REQUIRE(session.run_until(
        [&] { return session.master.established && session.onsite.established; }));
    session.master.give(packet(master_address, "192.168.1.50", std::to_string(round)));
    BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() == round + 1; }));
    BOOST_TEST(text_of(session.onsite.received.back()) == std::to_string(round));
  }
}

BOOST_AUTO_TEST_CASE(what_may_not_have_arrived_is_left_to_the_next_leg) {
  Resumable session;
  auto& master = session.master;
  master.give(tcp_packet({.port = 1, .sequence = 1}));
  BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() == 1; }));
  BOOST_REQUIRE(session.run_until([&] { return is_acknowledged(master); }));
  session.relay.frozen = true;
  master.give(tcp_packet({.port = 2, .sequence = 2}));
  master.give(tcp_packet({.port = 3, .sequence = 3}));
  const auto& counters = master.pump().counters();
  BOOST_REQUIRE(session.run_until([&] { return counters.tx_packets == 3; }));
  for (std::uint32_t i = 4; i < 100; ++i)  // more than may be in flight: they wait
    master.give(tcp_packet({.port = 4, .sequence = i, .text_bytes = 1400}));
  BOOST_REQUIRE(session.run_until(
      [&] { return ::recv(master.tun(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) < 0; }));
  session.cut();
  tunnel::core::KeepBuffer keep;
  master.pump().leave_to(keep, 1);
  const auto kept = keep.take();
  BOOST_REQUIRE(kept.size() == 98);
  for (std::uint32_t i = 0; i < 98; ++i)
    BOOST_TEST(sequence_of(kept[i]) == i + 2);
}

BOOST_AUTO_TEST_CASE(what_was_acknowledged_is_not_left_to_the_next_leg) {
  Resumable session;
  session.master.give(tcp_packet({.port = 1}));
  BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() == 1; }));
  BOOST_REQUIRE(session.run_until([&] { return is_acknowledged(session.master); }));
}

BOOST_AUTO_TEST_CASE(a_relay_that_hangs_is_noticed_sooner_with_packets_under_way) {
  Session session{{.alive = {.ping_after = 1h, .give_up_after = 1h}, .stall_after = 500ms}};
  BOOST_REQUIRE(session.run_until_established());
  BOOST_TEST(!session.run_until([&] { return session.master.is_over(); }, 1s));  // idle: no stall
  session.relay.frozen = true;
  BOOST_TEST(!session.run_until([&] { return session.master.is_over(); }, 1s));
  const auto frozen = tunnel::Clock::now();
  session.master.give(packet(master_address, "192.168.1.50", "x"));
  BOOST_REQUIRE(session.run_until([&] { return session.master.is_over(); }));
  BOOST_TEST((tunnel::Clock::now() - frozen >= 500ms));
  BOOST_CHECK(session.master.end->code == CloseCode::peer_lost);
  BOOST_TEST(session.master.end->is_lost);
}

BOOST_AUTO_TEST_CASE(a_new_leg_without_an_echo_is_lost_and_ends_no_session) {
  Resumable session;
  session.cut();
  session.master.times.echo_timeout = 500ms;
  session.onsite.answers_echo = false;
  session.resume();
  BOOST_REQUIRE(session.run_until_over());
  BOOST_CHECK(session.master.end->code == CloseCode::no_echo);
  BOOST_TEST(session.master.end->is_lost);
  BOOST_TEST(session.onsite.end->is_lost);  // nobody said Bye
}

BOOST_AUTO_TEST_CASE(a_pump_that_was_aborted_lets_go_of_the_tun_at_once) {
  Resumable session;
  auto& master = session.master;
  master.pump().abort(CloseCode::network, "the server interrupted the session");
  TunKeeper keeper{session.io.get_executor(), master.tun()};
  asio::co_spawn(session.io, keeper.run(), asio::detached);
  master.give(tcp_packet({.port = 1}));
  BOOST_REQUIRE(session.run_until([&] { return keeper.keep().packets() == 1; }));
  BOOST_REQUIRE(session.run_until_over());
  BOOST_TEST(session.onsite.received.empty());
}
