#define BOOST_TEST_MODULE backoff
#include "core/backoff.hpp"

#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace tunnel::core {
namespace {

using namespace std::chrono_literals;

constexpr auto most = std::numeric_limits<std::uint64_t>::max();
constexpr Backoff::Limits limits{.first = wire::reconnect_first, .cap = wire::reconnect_cap};

}  // namespace

BOOST_AUTO_TEST_CASE(the_ceiling_doubles_up_to_the_cap) {
  Backoff backoff{limits};
  for (const auto ceiling :
       {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 16000ms, 30000ms, 30000ms, 30000ms})
    BOOST_TEST((backoff.next(most) == ceiling));
}

BOOST_AUTO_TEST_CASE(a_delay_is_anything_from_nothing_to_the_ceiling) {
  for (const std::uint64_t random : {std::uint64_t{0}, std::uint64_t{1}, most / 2, most}) {
    Backoff backoff{limits};
    const auto delay = backoff.next(random);
    BOOST_TEST((delay >= 0s && delay <= limits.first));
  }
  BOOST_TEST((Backoff{limits}.next(0) == 0s));
  BOOST_TEST(
      (Backoff{limits}.next(most / 2) / 1ms == 249 || Backoff{limits}.next(most / 2) / 1ms == 250));
}

BOOST_AUTO_TEST_CASE(devices_that_lost_the_same_server_spread_evenly_over_the_ceiling) {
  std::mt19937_64 random{1};
  Backoff backoff{{.first = 30s, .cap = 30s}};
  std::array<int, 10> tenths{};
  for (int i = 0; i < 10'000; ++i)
    ++tenths.at(std::min<std::size_t>(9, static_cast<std::size_t>(backoff.next(random()) / 3s)));
  for (const int count : tenths)
    BOOST_TEST((count > 800 && count < 1200));
}

BOOST_AUTO_TEST_CASE(a_connection_that_held_begins_the_story_anew) {
  Backoff backoff{limits};
  for (int i = 0; i < 20; ++i)
    static_cast<void>(backoff.next(most));
  backoff.on_success();
  BOOST_TEST((backoff.next(most) == limits.first));
}

BOOST_AUTO_TEST_CASE(retry_after_holds_once_and_not_longer_than_ten_times_the_cap) {
  Backoff backoff{limits};
  backoff.on_retry_after(7s);
  BOOST_TEST((backoff.next(0) == 7s));
  BOOST_TEST((backoff.next(0) == 0s));
  backoff.on_retry_after(7s);
  const auto delay = backoff.next(most);
  BOOST_TEST((delay > 7s && delay <= 7s + limits.cap));
  backoff.on_retry_after(24h * 365);
  BOOST_TEST((backoff.next(0) == 300s));
  backoff.on_retry_after(Clock::duration::max());
  BOOST_TEST((backoff.next(0) == 300s));
  backoff.on_retry_after(-1s);
  BOOST_TEST((backoff.next(0) == 0s));
}

BOOST_AUTO_TEST_CASE(no_limit_overflows) {
  Backoff backoff{{.first = 1s, .cap = Clock::duration::max()}};
  for (int i = 0; i < 200; ++i) {
    backoff.on_retry_after(Clock::duration::max());
    BOOST_TEST((backoff.next(i % 2 == 0 ? most : 0) >= 0s));
  }
}

BOOST_AUTO_TEST_CASE(no_ceiling_is_above_the_cap) {
  Backoff backoff{{.first = 60s, .cap = 30s}};
  BOOST_TEST((backoff.next(most) == 30s));
  backoff.on_success();
  BOOST_TEST((backoff.next(most) == 30s));
}

}  // namespace tunnel::core
