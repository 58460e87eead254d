#define BOOST_TEST_MODULE emulator_direction
#include "emulator/direction.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <ostream>
#include <vector>

using namespace std::chrono_literals;
using namespace emulator;

namespace {

using Time = Clock::time_point;

const Time t0{1000s};
constexpr std::size_t full_frame_bytes = 1514;  // MTU 1500 and the Ethernet header
constexpr std::uint64_t mbit = 1'000'000;

/// Frames are told apart by their length, or by `mark`.
FramePtr frame_of(std::size_t bytes, std::byte mark = {}) {
  auto frame = std::make_unique<Frame>();
  frame->bytes = bytes;
  frame->ethernet[0] = mark;
  return frame;
}

/// When the next frame is due, in nanoseconds since t0; -1: none is there.
std::int64_t due(const Direction& direction) {
  const auto at = direction.next_due();
  return at ? (*at - t0).count() : -1;
}

std::size_t take_all(Direction& direction, Time now) {
  std::size_t count = 0;
  while (direction.take_due(now))
    ++count;
  return count;
}

Direction with(const Settings& settings) {
  Direction direction{1};
  direction.set(settings, t0);
  return direction;
}

/// The numbers of the frames that got through, of `count` sent one after the other.
std::vector<int> survivors(Direction& direction, int count) {
  std::vector<int> through;
  for (int n = 0; n < count; ++n) {
    direction.arrive(frame_of(100), t0);
    if (direction.take_due(t0)) through.push_back(n);
  }
  return through;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_fresh_cable_costs_no_time_and_changes_nothing) {
  Direction direction{1};
  auto frame = frame_of(60, std::byte{7});
  const auto* const same = frame.get();
  direction.arrive(std::move(frame), t0);
  const auto got = direction.take_due(t0);
  BOOST_TEST(got.get() == same);
  BOOST_TEST((got->ethernet[0] == std::byte{7}));
  BOOST_TEST(!direction.take_due(t0 + 1h));
  BOOST_TEST(!direction.next_due());
}

BOOST_AUTO_TEST_CASE(a_delay_is_kept_to_the_nanosecond) {
  auto direction = with({.delay = 20ms});
  direction.arrive(frame_of(60), t0);
  BOOST_TEST(due(direction) == 20'000'000);
  BOOST_TEST(!direction.take_due(t0 + 20ms - 1ns));
  BOOST_TEST(!!direction.take_due(t0 + 20ms));
}

BOOST_AUTO_TEST_CASE(a_frame_takes_its_bits_over_the_rate_and_then_the_delay) {
  auto direction = with({.rate_bps = 10 * mbit, .delay = 5ms});
  direction.arrive(frame_of(1250), t0);  // 10,000 bit: 1 ms
  BOOST_TEST(due(direction) == 6'000'000);
}

BOOST_AUTO_TEST_CASE(frames_that_come_at_once_leave_one_after_the_other) {
  auto direction = with({.rate_bps = 10 * mbit});
  for (int n = 0; n < 3; ++n)
    direction.arrive(frame_of(1250), t0);
  for (int n = 1; n <= 3; ++n) {
    BOOST_TEST(due(direction) == n * 1'000'000);
    BOOST_TEST(!!direction.take_due(t0 + n * 1ms));
  }
}

BOOST_AUTO_TEST_CASE(a_pause_is_no_credit_for_a_burst_behind_it) {
  auto direction = with({.rate_bps = 10 * mbit});
  direction.arrive(frame_of(1250), t0);
  BOOST_TEST(take_all(direction, t0 + 1s) == 1u);
  direction.arrive(frame_of(1250), t0 + 1s);
  direction.arrive(frame_of(1250), t0 + 1s);
  BOOST_TEST(due(direction) == 1'001'000'000);
  BOOST_TEST(take_all(direction, t0 + 1s + 1ms) == 1u);
  BOOST_TEST(due(direction) == 1'002'000'000);
}

BOOST_AUTO_TEST_CASE(a_late_caller_makes_frames_late_but_shifts_none_behind_them) {
  auto direction = with({.rate_bps = 10 * mbit, .delay = 20ms});
  for (int n = 0; n < 5; ++n)
    direction.arrive(frame_of(1250), t0);
  BOOST_TEST(take_all(direction, t0 + 23ms + 500us) == 3u);  // due at 21, 22, 23 ms
  BOOST_TEST(((direction.last_due() - t0) == 23ms));
  BOOST_TEST(due(direction) == 24'000'000);
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_told_late_counts_from_its_arrival) {
  auto direction = with({.rate_bps = 10 * mbit});
  BOOST_TEST(take_all(direction, t0 + 9ms) == 0u);
  direction.arrive(frame_of(1250), t0 + 2ms);
  BOOST_TEST(due(direction) == 3'000'000);
  BOOST_TEST(take_all(direction, t0 + 9ms) == 1u);
}

BOOST_AUTO_TEST_CASE(no_error_adds_up_over_many_frames) {
  // 1514 bytes at 9.7 Mbit/s are 1,248,659.79… ns: rounding each is off by 0.2 ns, 0.2 ms in a
  // quarter of an hour.
  auto direction = with({.rate_bps = 9'700'000});
  Time now = t0;
  for (int n = 0; n < 100'000; ++n) {
    direction.arrive(frame_of(full_frame_bytes), now);
    direction.arrive(frame_of(full_frame_bytes), now);
    now = *direction.next_due() + 700us;  // always late
    BOOST_REQUIRE(!!direction.take_due(now));
    now = *direction.next_due();
    BOOST_REQUIRE(!!direction.take_due(now));
  }
  const auto wanted = 2e5 * full_frame_bytes * 8 / 9.7e6;
  const auto took = std::chrono::duration<double>(now - t0).count();
  BOOST_TEST(std::abs(took / wanted - 1) < 1e-6);
}

BOOST_AUTO_TEST_CASE(the_queue_holds_its_bytes_and_drops_at_its_tail) {
  auto direction = with({.rate_bps = 10 * mbit, .queue_bytes = 10 * full_frame_bytes});
  for (int n = 0; n < 13; ++n)
    direction.arrive(frame_of(full_frame_bytes, std::byte(n)), t0);
  BOOST_TEST(direction.queue_bytes() == 10 * full_frame_bytes);
  BOOST_TEST(direction.counters().dropped_queue == 3u);
  BOOST_TEST(direction.counters().queue_bytes_max == 10 * full_frame_bytes);
  direction.arrive(frame_of(full_frame_bytes, std::byte{99}),
                   t0 + 1212us);  // the first has departed
  int last = -1;
  while (const auto frame = direction.take_due(t0 + 1s))
    last = std::to_integer<int>(frame->ethernet[0]);
  BOOST_TEST(last == 99);
  BOOST_TEST(direction.counters().tx_frames == 11u);
}

BOOST_AUTO_TEST_CASE(the_default_queue_is_a_second_at_10_mbit) {
  auto direction = with({.rate_bps = 10 * mbit});
  for (int n = 0; n < 2000; ++n)
    direction.arrive(frame_of(1250), t0);
  BOOST_TEST(direction.counters().dropped_queue == 1000u);
  BOOST_TEST(take_all(direction, t0 + 1s - 1ns) == 999u);
  BOOST_TEST(take_all(direction, t0 + 1s) == 1u);
}

BOOST_AUTO_TEST_CASE(losses_come_as_often_as_asked_and_the_same_for_the_same_seed) {
  auto one = with({.loss_percent = 1});
  auto same = with({.loss_percent = 1});
  constexpr int frames = 200'000;
  const auto through = survivors(one, frames);
  BOOST_TEST((through == survivors(same, frames)));
  const auto lost = frames - static_cast<double>(through.size());
  const auto deviation = std::sqrt(frames * 0.01 * 0.99);  // of a binomial distribution
  BOOST_TEST(std::abs(lost - frames * 0.01) < 5 * deviation);
  BOOST_TEST(one.counters().dropped_loss == static_cast<std::uint64_t>(lost));
  one.seed(2);
  BOOST_TEST((survivors(one, frames) != through));
  one.seed(1);
  BOOST_TEST((survivors(one, frames) == through));
}

BOOST_AUTO_TEST_CASE(all_or_nothing_can_be_lost) {
  auto everything = with({.loss_percent = 100});
  BOOST_TEST(survivors(everything, 1000).empty());
  auto nothing = with({.loss_percent = 0});
  BOOST_TEST(survivors(nothing, 1000).size() == 1000u);
}

BOOST_AUTO_TEST_CASE(what_is_lost_has_used_the_rate) {
  auto direction = with({.rate_bps = 10 * mbit, .loss_percent = 100});
  direction.arrive(frame_of(1250), t0);
  direction.arrive(frame_of(1250), t0);
  BOOST_TEST(take_all(direction, t0 + 1ms) == 0u);
  direction.set({.rate_bps = 10 * mbit}, t0 + 1500us);
  BOOST_TEST(due(direction) == 2'000'000);
}

BOOST_AUTO_TEST_CASE(a_black_hole_swallows_also_what_is_under_way) {
  auto direction = with({.rate_bps = 10 * mbit, .delay = 50ms});
  for (int n = 0; n < 10; ++n)
    direction.arrive(frame_of(1250), t0);
  direction.set({.rate_bps = 10 * mbit, .open = false}, t0 + 5ms);  // half queued, half under way
  direction.arrive(frame_of(1250), t0 + 6ms);
  BOOST_TEST(!direction.next_due());
  BOOST_TEST(direction.counters().dropped_closed == 11u);
  direction.set({.rate_bps = 10 * mbit}, t0 + 7ms);
  direction.arrive(frame_of(1250), t0 + 7ms);
  BOOST_TEST(due(direction) == 8'000'000);
}

BOOST_AUTO_TEST_CASE(a_new_rate_is_for_the_rest_of_the_frame_and_for_those_behind_it) {
  auto direction = with({.rate_bps = 10 * mbit});
  direction.arrive(frame_of(1250), t0);
  direction.arrive(frame_of(1250), t0);
  direction.set({.rate_bps = 1 * mbit}, t0 + 500us);  // half of it is out
  BOOST_TEST(due(direction) == 5'500'000);
  BOOST_TEST(take_all(direction, t0 + 5500us) == 1u);
  BOOST_TEST(due(direction) == 15'500'000);
  direction.set({}, t0 + 6ms);
  BOOST_TEST(take_all(direction, t0 + 6ms) == 1u);
}

BOOST_AUTO_TEST_CASE(a_rate_that_comes_later_holds_from_then_on) {
  Direction direction{1};
  direction.arrive(frame_of(1250), t0);
  direction.set({.rate_bps = 10 * mbit}, t0 + 1ms);
  BOOST_TEST(take_all(direction, t0 + 1ms) == 1u);
  direction.arrive(frame_of(1250), t0 + 2ms);
  BOOST_TEST(due(direction) == 3'000'000);
}

BOOST_AUTO_TEST_CASE(a_shorter_delay_lets_no_frame_overtake) {
  auto direction = with({.delay = 100ms});
  direction.arrive(frame_of(60, std::byte{1}), t0);
  direction.set({.delay = 10ms}, t0 + 1ms);
  direction.arrive(frame_of(60, std::byte{2}), t0 + 2ms);
  BOOST_TEST(!direction.take_due(t0 + 99ms));
  BOOST_TEST((direction.take_due(t0 + 100ms)->ethernet[0] == std::byte{1}));
  BOOST_TEST((direction.take_due(t0 + 100ms)->ethernet[0] == std::byte{2}));
  direction.arrive(frame_of(60), t0 + 200ms);
  BOOST_TEST(due(direction) == 210'000'000);
}

BOOST_AUTO_TEST_CASE(a_smaller_queue_keeps_what_it_has_and_takes_nothing_more) {
  auto direction = with({.rate_bps = 10 * mbit});
  for (int n = 0; n < 20; ++n)
    direction.arrive(frame_of(1250), t0);
  direction.set({.rate_bps = 10 * mbit, .queue_bytes = 2500}, t0);
  direction.arrive(frame_of(1250), t0);
  BOOST_TEST(direction.counters().dropped_queue == 1u);
  BOOST_TEST(take_all(direction, t0 + 1s) == 20u);
}

BOOST_AUTO_TEST_CASE(no_more_frames_are_held_than_the_limit) {
  auto direction = with({.delay = 1s});
  for (std::size_t n = 0; n < frames_max + 5; ++n)
    direction.arrive(frame_of(60), t0);
  BOOST_TEST(direction.frames() == frames_max);
  BOOST_TEST(direction.counters().dropped_limit == 5u);
}

BOOST_AUTO_TEST_CASE(every_frame_that_came_is_accounted_for) {
  auto direction =
      with({.rate_bps = mbit, .delay = 7ms, .loss_percent = 20, .queue_bytes = 30'000});
  for (int n = 0; n < 10'000; ++n) {
    const auto now = t0 + n * 1ms;
    direction.arrive(frame_of(60 + static_cast<std::size_t>(n % 1455)), now);
    if (n % 3 == 0) take_all(direction, now);
  }
  take_all(direction, t0 + 1h);
  const auto& c = direction.counters();
  BOOST_TEST(c.rx_frames == 10'000u);
  BOOST_TEST(c.tx_frames + c.dropped_queue + c.dropped_loss == c.rx_frames);
  BOOST_TEST(c.dropped_queue > 0u);
  BOOST_TEST(direction.queue_bytes() == 0u);
  direction.reset_counters();
  BOOST_TEST(direction.counters().rx_frames == 0u);
}
