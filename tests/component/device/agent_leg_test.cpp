#define BOOST_TEST_MODULE agent_leg
#include "component/device/agent_end.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <algorithm>

using namespace agent_test;
using namespace std::chrono_literals;

namespace {

const std::vector cuts{Cut::as_read, Cut::single_bytes, Cut::coalesced, Cut::random};

}  // namespace

std::ostream& operator<<(std::ostream& out, Cut cut) {
  return out << static_cast<int>(cut);
}
namespace agent_test {
std::ostream& operator<<(std::ostream& out, Cut cut) {
  return out << static_cast<int>(cut);
}
}  // namespace agent_test

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_DATA_TEST_CASE(a_session_comes_up_and_carries_packets_however_its_bytes_are_cut, cuts, cut) {
  Session session;
  session.relay.cut = cut;
  BOOST_REQUIRE(session.run_until_established());
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(session.master.give(from_master("up " + std::to_string(i))));
    BOOST_TEST(session.onsite.give(from_camera("down " + std::to_string(i))));
  }
  BOOST_REQUIRE(session.run_until([&] {
    return session.onsite.received.size() == 20 && session.master.received.size() == 20;
  }));
  for (std::size_t i = 0; i < 20; ++i) {
    BOOST_TEST(text_of(session.onsite.received[i]) == "up " + std::to_string(i));
    BOOST_TEST(text_of(session.master.received[i]) == "down " + std::to_string(i));
  }
  BOOST_TEST(!session.master.is_over());
  BOOST_TEST(!session.onsite.is_over());
}

BOOST_DATA_TEST_CASE(packets_sent_in_the_first_moment_are_not_lost_at_the_seam, cuts, cut) {
  constexpr std::size_t packets = 40;
  Session session;
  session.relay.cut = cut;
  // They lie in the TUNs before the legs are up, and leave right behind Switch. All of them fit
  // into the first window: what waits longer on a busy machine is CoDel's to drop.
  for (std::size_t i = 0; i < packets; ++i) {
    session.master.give(from_master(std::string(i * 11, 'm')));
    session.onsite.give(from_camera(std::string(i * 13, 'o')));
  }
  BOOST_REQUIRE(session.run_until(
      [&] {
        return session.onsite.received.size() == packets &&
               session.master.received.size() == packets;
      },
      60s));
  for (std::size_t i = 0; i < packets; ++i) {
    BOOST_TEST(text_of(session.onsite.received[i]).size() == i * 11);
    BOOST_TEST(text_of(session.master.received[i]).size() == i * 13);
  }
}

/// Nothing of a record can be read before all of it has come, at 1 Mbit/s 0.13 s for a full one.
BOOST_AUTO_TEST_CASE(packets_do_not_wait_for_one_another_while_the_way_may_be_slow) {
  constexpr std::size_t text_bytes = 1472;  // an Ethernet's full packets
  constexpr std::size_t packets = 8;        // sent together: they fit into the first window
  Session session;
  for (std::size_t i = 0; i < packets; ++i)
    session.master.give(from_master(std::string(text_bytes, 'm')));
  std::size_t longest = 0, bytes = 0;
  session.relay.meddle = [&](std::size_t /*leg*/, std::size_t /*index*/, Bytes record) {
    longest = std::max(longest, record.size());
    bytes += record.size();
    return std::vector<Bytes>{std::move(record)};
  };
  BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() == packets; }));
  BOOST_TEST(bytes > packets * text_bytes);
  BOOST_TEST(longest < text_bytes + 150);
}

BOOST_AUTO_TEST_CASE(the_longest_packets_pass_whole) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  const auto longest = from_master(std::string(wire::packet_bytes_max - 28, 'x'));
  for (int i = 0; i < 8; ++i)
    BOOST_TEST(session.master.give(longest));
  BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() == 8; }));
  for (const auto& received : session.onsite.received)
    BOOST_CHECK(received == longest);
}

BOOST_AUTO_TEST_CASE(the_wire_shows_nothing_but_tls_records) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  session.master.give(from_master("secret secret secret"));
  BOOST_REQUIRE(session.run_until([&] { return !session.onsite.received.empty(); }));
  for (const std::size_t leg : {0U, 1U})
    BOOST_TEST(session.relay.seen(leg).find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(keys_are_updated_under_load_without_a_lost_packet) {
  tunnel::core::SessionWatch::Times times;
  Session session{times};
  auto plan = session.plan;
  plan.key_update_records = 3;
  End eager{session.io, session.world, session.world.master, plan};
  session.started = true;
  asio::co_spawn(session.io, session.relay.accept_leg(), asio::detached);
  asio::co_spawn(session.io, eager.run(session.relay.endpoint()), asio::detached);
  session.io.run_one_for(1s);
  asio::co_spawn(session.io, session.relay.accept_leg(), asio::detached);
  asio::co_spawn(session.io, session.onsite.run(session.relay.endpoint()), asio::detached);
  asio::co_spawn(session.io, eager.run_kernel(), asio::detached);
  asio::co_spawn(session.io, session.onsite.run_kernel(), asio::detached);
  BOOST_REQUIRE(session.run_until([&] { return eager.established; }));
  for (std::size_t i = 0; i < 300; ++i) {
    BOOST_REQUIRE(eager.give(from_master(std::to_string(i))));
    if (i % 10 == 0)
      BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() + 5 > i; }));
  }
  BOOST_REQUIRE(session.run_until([&] { return session.onsite.received.size() == 300; }));
  for (std::size_t i = 0; i < 300; ++i)
    BOOST_TEST(text_of(session.onsite.received[i]) == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(a_stop_is_told_to_the_other_end_with_its_cause) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  session.master.pump().stop(CloseCode::operator_, "lunch");
  BOOST_REQUIRE(session.run_until_over());
  BOOST_CHECK(session.master.end->code == CloseCode::operator_);
  BOOST_CHECK(session.onsite.end->code == CloseCode::operator_);
  BOOST_TEST(session.onsite.end->text == "lunch");
}

BOOST_AUTO_TEST_CASE(a_leg_cut_without_a_word_is_broken_and_never_closed) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  session.relay.break_leg(0);
  session.relay.break_leg(1);
  BOOST_REQUIRE(session.run_until_over());
  BOOST_CHECK(session.master.end->code == CloseCode::network);
  BOOST_CHECK(session.onsite.end->code == CloseCode::network);
}

BOOST_AUTO_TEST_CASE(a_relay_that_hangs_is_noticed) {
  Session session{{.alive = {.ping_after = 200ms, .give_up_after = 1s}}};
  BOOST_REQUIRE(session.run_until_established());
  BOOST_TEST(!session.run_until([&] { return session.master.is_over(); }, 1s));  // alive answers
  session.relay.frozen = true;
  BOOST_REQUIRE(session.run_until_over());
  BOOST_CHECK(session.master.end->code == CloseCode::peer_lost);
}

BOOST_AUTO_TEST_CASE(a_path_without_echo_is_no_session) {
  Session session{{.echo_timeout = 500ms}};
  session.onsite.answers_echo = false;
  BOOST_REQUIRE(session.run_until_over());
  BOOST_TEST(!session.master.established);
  BOOST_CHECK(session.master.end->code == CloseCode::no_echo);
  BOOST_CHECK(session.onsite.end->code == CloseCode::no_echo);
}

BOOST_AUTO_TEST_CASE(the_time_limit_is_kept_by_the_device_itself) {
  Session session;
  session.master.lasts = session.onsite.lasts = 1500ms;
  BOOST_REQUIRE(session.run_until_over());
  BOOST_TEST(session.master.established);
  BOOST_CHECK(session.master.end->code == CloseCode::time_limit);
  BOOST_CHECK(session.onsite.end->code == CloseCode::time_limit);
}

BOOST_AUTO_TEST_CASE(abort_takes_not_one_more_packet) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  session.onsite.pump().abort(CloseCode::kernel, "netd is gone");
  for (int i = 0; i < 10; ++i)
    session.master.give(from_master("late"));
  BOOST_REQUIRE(session.run_until_over());
  BOOST_TEST(session.onsite.received.empty());
  BOOST_CHECK(session.onsite.end->code == CloseCode::kernel);
}

BOOST_AUTO_TEST_CASE(packets_with_foreign_addresses_never_reach_the_kernel) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  session.master.give(packet("192.168.1.77", "192.168.1.50", "forged source"));
  session.master.give(packet(master_address, "127.0.0.1", "loopback"));
  session.master.give(packet(master_address, "224.0.0.251", "multicast"));
  session.onsite.give(packet("192.168.1.50", "192.168.1.10", "not the tunnel"));
  session.master.give(from_master("good"));
  session.onsite.give(from_camera("good"));
  BOOST_REQUIRE(session.run_until(
      [&] { return !session.onsite.received.empty() && !session.master.received.empty(); }));
  BOOST_TEST(text_of(session.onsite.received[0]) == "good");
  BOOST_TEST(text_of(session.master.received[0]) == "good");
  BOOST_TEST(session.onsite.pump().counters().dropped_address == 3u);
  BOOST_TEST(session.master.pump().counters().dropped_address == 1u);
}

BOOST_AUTO_TEST_CASE(malformed_packets_never_reach_the_kernel) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  auto bad_gso = from_master("gso type nobody knows");
  bad_gso[1] = std::byte{77};
  auto bad_length = from_master("longer than it says");
  bad_length[wire::vnet_header_bytes + 3] = std::byte{1};
  session.master.give(bad_gso);
  session.master.give(bad_length);
  session.master.give(from_master("good"));
  BOOST_REQUIRE(session.run_until([&] { return !session.onsite.received.empty(); }));
  BOOST_TEST(text_of(session.onsite.received[0]) == "good");
  BOOST_TEST(session.onsite.pump().counters().dropped_malformed == 2u);
}

BOOST_AUTO_TEST_CASE(a_blocked_path_holds_bounded_memory_and_loses_the_oldest) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  session.relay.frozen = true;
  std::size_t given = 0;
  const auto numbered = [](std::size_t number) {
    return from_master(fmt::format("{} {:x>60000}", number, ""));
  };
  for (int round = 0; round < 3; ++round) {
    while (session.master.give(numbered(given)))
      ++given;
    const auto& pump = session.master.pump().counters();
    // The pump goes on taking what the kernel has: its own queues decide who loses.
    const auto before = given;
    BOOST_REQUIRE(session.run_until([&] {
      if (session.master.give(numbered(given))) ++given;
      return given > before && pump.dropped_queue > 0;
    }));
  }
  session.relay.frozen = false;
  const auto last = fmt::format("{} ", given - 1);
  const auto& received = session.onsite.received;
  BOOST_TEST(session.run_until(
      [&] { return !received.empty() && text_of(received.back()).starts_with(last); }));
  BOOST_TEST(session.master.pump().counters().dropped_queue > 0U);
  BOOST_TEST(received.size() + session.master.pump().counters().dropped_queue == given);
  BOOST_TEST(received.size() * 60'000 < 3'000'000U);
}
