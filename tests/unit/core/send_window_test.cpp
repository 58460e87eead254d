#define BOOST_TEST_MODULE send_window
#include "core/send_window.hpp"

#include "core/ack_clock.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>
#include <vector>

namespace tunnel::core {
namespace {

using namespace std::chrono_literals;
using std::chrono::duration_cast;
using Time = Clock::time_point;
using Duration = Clock::duration;

constexpr std::size_t packet_bytes = 1514;
constexpr std::size_t ping_bytes = 98;

/// A way with one narrow place: a FIFO in front of a line, and delays; packets one way,
/// acknowledgements the other. The time is the test's own.
struct Way {
  double bytes_per_second;
  Duration round_trip;
  std::size_t fifo_bytes = 1'250'000;
  double loss = 0;       ///< share of the packets that TCP below sends again, a round trip later
  Duration stall_max{};  ///< every 0.3 s on average the receiver, or a radio, pauses for up to this
  bool has_pings = false;  ///< a small packet every 50 ms, which does not wait for the window

  struct Item {
    Time arrives;
    std::size_t bytes;
    Duration waited;
  };
  struct Told {
    Time arrives;
    wire::Ack ack;
  };

  Time now{1h};
  SendWindow window;
  AckClock acks;
  Time next_ping{}, stall_ends{};
  std::deque<Item> forth;
  std::deque<Told> back;
  Time line_free{}, in_order{};
  std::minstd_rand random{7};
  std::uint64_t delivered = 0, lost = 0;
  std::vector<Duration> waits;  ///< in the FIFO, one per packet
  bool wants_to_send = true;

  void run(Duration time) {
    const auto ends = now + time;
    while (now < ends) {
      send();
      if (now >= stall_ends) deliver();
      now += 100us;
      if (stall_max > 0ms && now > stall_ends && std::bernoulli_distribution{1.0 / 3000}(random))
        stall_ends = now + stall_max * std::uniform_int_distribution{1, 100}(random) / 100;
    }
  }
  void reset_figures() {
    delivered = lost = 0;
    waits.clear();
  }
  double share(Duration time) const {
    return static_cast<double>(delivered) /
           (bytes_per_second * std::chrono::duration<double>(time).count());
  }
  double wait_ms(double part) {
    std::sort(waits.begin(), waits.end());
    const auto at = static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1));
    return std::chrono::duration<double, std::milli>(waits.at(at)).count();
  }

 private:
  void send() {
    if (has_pings && now >= next_ping) {
      transmit(ping_bytes);
      next_ping = now + 50ms;
    }
    if (!wants_to_send) return;
    while (window.is_open())
      transmit(packet_bytes);
    window.on_limited();
  }
  void transmit(std::size_t bytes) {
    window.on_sent(bytes, now);
    const auto begins = std::max(now, line_free);
    const auto waited = begins - now;
    const auto queued = std::chrono::duration<double>(waited).count() * bytes_per_second;
    // What overflows is not lost (the legs are TCP), it comes later: no window of ours gets here.
    if (queued > static_cast<double>(fifo_bytes)) ++lost;
    line_free = begins + duration_cast<Duration>(std::chrono::duration<double>(
                             static_cast<double>(bytes) / bytes_per_second));
    const bool is_lost = std::bernoulli_distribution{loss}(random);
    in_order = std::max(in_order, line_free + round_trip / 2 + (is_lost ? round_trip : 0ms));
    forth.push_back({in_order, bytes, waited});
  }
  void deliver() {
    while (!forth.empty() && forth.front().arrives <= now) {
      delivered += forth.front().bytes;
      waits.push_back(forth.front().waited);
      acks.on_received(forth.front().bytes, forth.front().arrives);
      forth.pop_front();
    }
    if (acks.has_news() && acks.due() <= now)
      back.push_back({now + round_trip / 2, acks.take(now)});
    while (!back.empty() && back.front().arrives <= now) {
      BOOST_TEST_REQUIRE(window.on_ack(back.front().ack, now));
      back.pop_front();
    }
  }
};

constexpr double mbit = 1e6 / 8;

}  // namespace

BOOST_DATA_TEST_CASE(a_way_is_full_and_no_queue_stands_on_it,
                     boost::unit_test::data::make({1, 2, 10, 100}) *
                         boost::unit_test::data::make({0, 10, 40, 150}) *
                         boost::unit_test::data::make({false, true}),
                     megabits, round_trip_ms, has_pings) {
  Way way{.bytes_per_second = megabits * mbit,
          .round_trip = round_trip_ms * 1ms,
          .has_pings = has_pings};
  way.run(5s);
  way.reset_figures();
  way.run(30s);
  BOOST_TEST(way.lost == 0);
  const double packet_ms = 1e3 * packet_bytes / way.bytes_per_second;
  BOOST_TEST_MESSAGE(megabits << " Mbit/s, " << round_trip_ms << " ms: share " << way.share(30s)
                              << ", waits p50 " << way.wait_ms(0.5) << " p95 " << way.wait_ms(0.95)
                              << " p99 " << way.wait_ms(0.99) << " ms");
  BOOST_TEST(way.share(30s) > 0.93);
  BOOST_TEST(way.wait_ms(0.5) < std::max(20.0, 3 * packet_ms));
  BOOST_TEST(way.wait_ms(0.95) < std::max(35.0, 5 * packet_ms));
}

BOOST_DATA_TEST_CASE(the_start_is_quick_and_does_not_overshoot_by_much,
                     boost::unit_test::data::make({1, 10, 100}) *
                         boost::unit_test::data::make({0, 40, 150}),
                     megabits, round_trip_ms) {
  Way way{.bytes_per_second = megabits * mbit, .round_trip = round_trip_ms * 1ms};
  way.run(3s);
  BOOST_TEST_MESSAGE(megabits << " Mbit/s, " << round_trip_ms << " ms: share of the first 3 s "
                              << way.share(3s) << ", longest wait " << way.wait_ms(1) << " ms");
  BOOST_TEST(way.share(3s) > 0.4);
  BOOST_TEST(way.wait_ms(1) < 200 + 1.1 * round_trip_ms);
}

BOOST_DATA_TEST_CASE(a_way_that_changes_is_followed, boost::unit_test::data::make({0, 40, 150}),
                     round_trip_ms) {
  Way way{.bytes_per_second = 50 * mbit, .round_trip = round_trip_ms * 1ms};
  way.run(5s);
  way.bytes_per_second = 5 * mbit;
  way.run(3s);
  way.reset_figures();
  way.run(10s);
  BOOST_TEST_MESSAGE("slower: share " << way.share(10s) << ", p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(10s) > 0.9);
  BOOST_TEST(way.wait_ms(0.95) < 30);
  way.bytes_per_second = 50 * mbit;
  way.run(4s);
  way.reset_figures();
  way.run(10s);
  BOOST_TEST_MESSAGE("faster: share " << way.share(10s) << ", p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(10s) > 0.9);
}

BOOST_DATA_TEST_CASE(segments_lost_below_are_not_taken_for_a_slower_way,
                     boost::unit_test::data::make({1, 4}) * boost::unit_test::data::make({40, 150}),
                     loss_percent, round_trip_ms) {
  Way way{.bytes_per_second = 20 * mbit,
          .round_trip = round_trip_ms * 1ms,
          .loss = loss_percent / 100.0};
  way.run(10s);
  way.reset_figures();
  way.run(30s);
  BOOST_TEST_MESSAGE(loss_percent << " % lost, " << round_trip_ms << " ms: share " << way.share(30s)
                                  << ", p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(30s) > 0.5);
}

BOOST_DATA_TEST_CASE(pauses_of_the_receiver_are_not_taken_for_lost_segments,
                     boost::unit_test::data::make({40, 150}), round_trip_ms) {
  Way way{.bytes_per_second = 10 * mbit,
          .round_trip = round_trip_ms * 1ms,
          .stall_max = 60ms,
          .has_pings = true};
  way.run(5s);
  way.reset_figures();
  way.run(60s);
  BOOST_TEST_MESSAGE(round_trip_ms << " ms: share " << way.share(60s) << ", p50 "
                                   << way.wait_ms(0.5) << " p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(60s) > 0.8);
  BOOST_TEST(way.wait_ms(0.95) < 25 + 0.5 * round_trip_ms);
}

BOOST_AUTO_TEST_CASE(a_controller_below_always_has_something_to_send) {
  Way way{.bytes_per_second = 20 * mbit, .round_trip = 150ms, .loss = 0.01};
  way.window.keep_busy();
  way.run(10s);
  way.reset_figures();
  way.run(30s);
  BOOST_TEST_MESSAGE("share " << way.share(30s) << ", p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(30s) > 0.95);
  BOOST_TEST(way.wait_ms(0.95) < 2 * 150);
}

BOOST_AUTO_TEST_CASE(a_way_that_becomes_longer_is_not_taken_for_a_queue) {
  Way way{.bytes_per_second = 10 * mbit, .round_trip = 20ms};
  way.run(5s);
  way.round_trip = 200ms;
  way.run(12s);
  way.reset_figures();
  way.run(10s);
  BOOST_TEST_MESSAGE("longer: share " << way.share(10s) << ", p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(10s) > 0.9);
  way.round_trip = 20ms;
  way.run(6s);
  way.reset_figures();
  way.run(10s);
  BOOST_TEST_MESSAGE("shorter: share " << way.share(10s) << ", p95 " << way.wait_ms(0.95));
  BOOST_TEST(way.share(10s) > 0.9);
  BOOST_TEST(way.wait_ms(0.95) < 30);
}

BOOST_AUTO_TEST_CASE(after_a_pause_it_begins_small_and_is_soon_full_again) {
  Way way{.bytes_per_second = 10 * mbit, .round_trip = 40ms};
  way.run(5s);
  way.wants_to_send = false;
  way.run(60s);
  BOOST_TEST(way.window.bytes_in_flight() == 0);
  way.wants_to_send = true;
  way.reset_figures();
  way.run(3s);
  BOOST_TEST(way.share(3s) > 0.8);
  BOOST_TEST(way.wait_ms(1) < 160);
}

BOOST_AUTO_TEST_CASE(what_was_never_sent_cannot_be_acknowledged) {
  SendWindow window;
  window.on_sent(1000, Time{1h});
  BOOST_TEST(!window.on_ack({1001, 0us}, Time{1h} + 1ms));
  BOOST_TEST(window.on_ack({1000, 0us}, Time{1h} + 1ms));
  BOOST_TEST(!window.on_ack({999, 0us}, Time{1h} + 2ms));
}

BOOST_AUTO_TEST_CASE(a_receiver_that_acknowledges_nothing_stops_the_sender) {
  SendWindow window;
  std::uint64_t sent = 0;
  for (; window.is_open(); sent += packet_bytes)
    window.on_sent(packet_bytes, Time{1h});
  BOOST_TEST(sent < 20'000U);
  BOOST_TEST(window.allowance() == 0U);
}

}  // namespace tunnel::core
