#define BOOST_TEST_MODULE agent_runner
#include "component/device/agent_runner.hpp"

#include "base/endian.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <filesystem>

using namespace agent_test;
using namespace std::chrono_literals;
using tunnel::Clock;

/// A session whose legs are lost again and again goes on over the same TUN.
namespace {

/// A TCP segment without options, from the master's side.
Bytes segment(std::uint16_t port, std::string_view text) {
  auto bytes = from_master(std::string(12, '\0') + std::string{text});  // 8 + 12: a TCP header
  const auto ip = std::span{bytes}.subspan(wire::vnet_header_bytes);
  ip[9] = std::byte{6};
  tunnel::store_big_endian<std::uint16_t>(ip.subspan(20), port);
  ip[32] = std::byte{0x50};
  return bytes;
}
std::string text_of_segment(ByteView bytes) {
  return text_of(bytes).substr(12);
}

std::size_t open_descriptors() {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{}));
}

/// Cuts the newest two legs.
void cut(RunnerPair& pair) {
  pair.relay.break_leg(pair.relay.legs() - 1);
}

bool run_until_lost(RunnerPair& pair) {
  const auto epoch = pair.grant.epoch;
  return pair.run_until([&] {
    return !pair.master.lost.empty() && pair.master.lost.back() == epoch &&
           !pair.onsite.lost.empty() && pair.onsite.lost.back() == epoch;
  });
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_AUTO_TEST_CASE(a_session_goes_on_over_new_legs_and_the_same_tun) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  pair.master.give(from_master("before"));
  BOOST_REQUIRE(pair.run_until([&] { return pair.onsite.received.size() == 1; }));
  cut(pair);
  BOOST_REQUIRE(run_until_lost(pair));
  pair.grant_next();
  BOOST_REQUIRE(pair.run_until_established());
  pair.master.give(from_master("after"));
  pair.onsite.give(from_camera("answer"));
  BOOST_REQUIRE(pair.run_until(
      [&] { return pair.onsite.received.size() == 2 && pair.master.received.size() == 1; }));
  BOOST_TEST(text_of(pair.onsite.received[1]) == "after");
  BOOST_TEST(pair.netd.opened() == 2);  // once at each end
  BOOST_TEST(pair.netd.closed() == 0);
  BOOST_TEST(pair.master.runner().counters().tx_packets >= 2U);  // of both legs
  BOOST_TEST(!pair.master.end);
}

BOOST_AUTO_TEST_CASE(what_tcp_said_meanwhile_goes_first_over_the_new_leg) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  cut(pair);
  BOOST_REQUIRE(run_until_lost(pair));
  for (int i = 0; i < 300; ++i) {
    pair.master.give(segment(1000, "old"));
    pair.master.give(from_master("a datagram that is stale by then"));
    BOOST_REQUIRE(pair.run_until([&] { return pair.master.has_read_all(); }));
  }
  pair.master.give(segment(1000, "newest of the first"));
  pair.master.give(segment(1001, "newest of the second"));
  BOOST_REQUIRE(pair.run_until([&] { return pair.master.has_read_all(); }));
  pair.grant_next();
  BOOST_REQUIRE(pair.run_until_established());
  pair.master.give(from_master("after"));
  BOOST_REQUIRE(pair.run_until([&] {
    return !pair.onsite.received.empty() && text_of(pair.onsite.received.back()) == "after";
  }));
  BOOST_REQUIRE(pair.onsite.received.size() == 5U);
  BOOST_TEST(text_of_segment(pair.onsite.received[0]) == "old");  // of 299 that repeat the first
  BOOST_TEST(text_of_segment(pair.onsite.received[1]) == "old");
  BOOST_TEST(text_of_segment(pair.onsite.received[2]) == "newest of the first");
  BOOST_TEST(text_of_segment(pair.onsite.received[3]) == "newest of the second");
}

BOOST_AUTO_TEST_CASE(an_interruption_that_the_server_tells_of_drops_the_leg_at_once) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  pair.master.runner().interrupt();
  for (int i = 0; i < 5; ++i)
    pair.master.give(from_master("late"));
  BOOST_REQUIRE(pair.run_until([&] { return pair.onsite.lost.size() == 1; }));
  BOOST_TEST(pair.master.lost.empty());  // the agent knows already
  BOOST_TEST(pair.onsite.received.empty());
  pair.grant_next();
  BOOST_REQUIRE(pair.run_until_established());
}

BOOST_AUTO_TEST_CASE(a_leg_that_cannot_be_made_is_lost_and_the_next_is_tried) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  cut(pair);
  BOOST_REQUIRE(run_until_lost(pair));
  const auto relay = pair.master.server;
  for (auto* end : {&pair.master, &pair.onsite})
    end->server = tcp::endpoint{asio::ip::address_v4::loopback(), 1};  // nobody listens
  pair.grant_next();
  BOOST_REQUIRE(run_until_lost(pair));
  for (auto* end : {&pair.master, &pair.onsite})
    end->server = relay;
  pair.grant_next();
  BOOST_REQUIRE(pair.run_until_established());
  BOOST_TEST(pair.master.running == (std::vector<std::uint32_t>{1, 3}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_newer_grant_takes_the_place_of_a_leg_that_is_being_made) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  cut(pair);
  BOOST_REQUIRE(run_until_lost(pair));
  ++pair.grant.epoch;
  pair.master.resume(pair.grant);  // it waits for an onsite that never comes
  const auto legs = pair.relay.legs();
  BOOST_REQUIRE(pair.run_until([&] { return pair.relay.legs() == legs + 1; }));
  pair.run_until([] { return false; }, 50ms);
  pair.master.runner().interrupt();
  pair.run_until([] { return false; }, 50ms);
  pair.relay.handshake_goes_to = pair.relay.raw_goes_to = [legs](std::size_t leg) {
    return leg < legs ? leg ^ 1U : leg == legs ? 99 : ((leg - legs - 1) ^ 1U) + legs + 1;
  };
  pair.grant_next();
  BOOST_REQUIRE(pair.run_until_established());
  BOOST_TEST(pair.master.running == (std::vector<std::uint32_t>{1, 3}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_session_can_be_stopped_in_every_state) {
  enum class At { before, running, interrupted, making, resumed };
  for (const auto at : {At::before, At::running, At::interrupted, At::making, At::resumed}) {
    for (const bool at_once : {false, true}) {
      BOOST_TEST_CONTEXT("state " << static_cast<int>(at) << ", at once " << at_once) {
        RunnerPair pair;
        if (at != At::before) BOOST_REQUIRE(pair.run_until_established());
        if (at > At::running) {
          cut(pair);
          BOOST_REQUIRE(run_until_lost(pair));
        }
        if (at == At::making) pair.relay.frozen = true;
        if (at > At::interrupted) pair.grant_next();
        if (at == At::making) pair.run_until([] { return false; }, 30ms);
        if (at == At::resumed) BOOST_REQUIRE(pair.run_until_established());
        for (auto* end : {&pair.master, &pair.onsite}) {
          if (at_once)
            end->runner().abort(CloseCode::kernel, "netd is gone");
          else
            end->runner().stop(CloseCode::operator_, "");
        }
        BOOST_REQUIRE(pair.run_until_over());
        BOOST_CHECK(pair.master.end->code == (at_once ? CloseCode::kernel : CloseCode::operator_));
        BOOST_TEST(!pair.master.end->is_lost);
        BOOST_TEST(pair.netd.closed() == pair.netd.opened());
        if (at != At::before)
          BOOST_TEST(pair.run_until([&] { return pair.master.is_tun_closed(); }));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stop_that_comes_right_behind_an_interruption_is_not_forgotten) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  for (auto* end : {&pair.master, &pair.onsite}) {
    end->runner().interrupt();
    end->runner().stop(CloseCode::time_limit, "");
  }
  BOOST_REQUIRE(pair.run_until_over());
  BOOST_CHECK(pair.onsite.end->code == CloseCode::time_limit);
}

BOOST_AUTO_TEST_CASE(an_orderly_end_of_the_other_device_is_no_loss) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  pair.onsite.runner().stop(CloseCode::customer, "");
  BOOST_REQUIRE(pair.run_until_over());
  BOOST_CHECK(pair.master.end->code == CloseCode::customer);
  BOOST_TEST(pair.master.lost.empty());
}

BOOST_AUTO_TEST_CASE(the_time_limit_counts_over_all_legs) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  cut(pair);
  BOOST_REQUIRE(run_until_lost(pair));
  for (auto* end : {&pair.master, &pair.onsite})
    end->ends = Clock::now() + 1s;
  pair.grant_next();
  BOOST_REQUIRE(pair.run_until_over());
  BOOST_CHECK(pair.master.end->code == CloseCode::time_limit);
}

BOOST_AUTO_TEST_CASE(nothing_leaks_over_many_resumes) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  std::size_t before = 0;
  constexpr int rounds = 100;
  for (int round = 0; round < rounds; ++round) {
    cut(pair);
    BOOST_REQUIRE(run_until_lost(pair));
    if (round == 10) before = open_descriptors();
    pair.grant_next();
    BOOST_REQUIRE(pair.run_until_established());
  }
  cut(pair);
  BOOST_REQUIRE(run_until_lost(pair));
  BOOST_TEST(open_descriptors() <= before);
  BOOST_TEST(pair.netd.opened() == 2);
  BOOST_TEST(pair.master.running.size() == rounds + 1U);
}

BOOST_AUTO_TEST_CASE(another_agent_goes_on_with_the_tun_of_one_that_was_killed) {
  RunnerPair pair;
  BOOST_REQUIRE(pair.run_until_established());
  const auto noted = pair.grant;
  for (auto* killed : {&pair.master, &pair.onsite}) {
    auto tun = killed->runner().duplicate_tun();  // as netd has it
    killed->runner().abort(CloseCode::kernel, "killed");
    BOOST_REQUIRE(pair.run_until([&] { return killed->end.has_value(); }));
    killed->give(segment(1000, "while there was no agent"));
    killed->take_over(std::move(tun), noted);
    pair.run_until([] { return false; }, 50ms);
    BOOST_TEST(killed->running.empty());  // without a grant it makes no leg
    pair.grant_next();
    BOOST_REQUIRE(pair.run_until_established());
  }
  BOOST_REQUIRE(pair.run_until([&] { return !pair.onsite.received.empty(); }));
  BOOST_TEST(text_of_segment(pair.onsite.received[0]) == "while there was no agent");
  pair.master.give(from_master("after"));
  pair.onsite.give(from_camera("answer"));
  BOOST_TEST(pair.run_until([&] { return text_of(pair.onsite.received.back()) == "after"; }));
  BOOST_TEST(pair.netd.opened() == 2);
  BOOST_TEST(!pair.master.end);
  BOOST_TEST(!pair.onsite.end);
}
