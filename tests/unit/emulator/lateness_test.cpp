#include "emulator/lateness.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using emulator::Lateness;

BOOST_AUTO_TEST_CASE(nothing_measured_is_nothing_late) {
  const Lateness lateness;
  BOOST_TEST(lateness.percentile(99).count() == 0);
  BOOST_TEST(lateness.max().count() == 0);
}

BOOST_AUTO_TEST_CASE(percentiles_are_right_to_a_bucket) {
  Lateness lateness;
  for (int n = 1; n <= 1000; ++n)
    lateness.add(n * 1us);
  BOOST_TEST((lateness.percentile(50) >= 500us && lateness.percentile(50) <= 510us));
  BOOST_TEST((lateness.percentile(99) >= 990us && lateness.percentile(99) <= 1000us));
  BOOST_TEST((lateness.percentile(100) == 1000us));
}

BOOST_AUTO_TEST_CASE(what_is_later_than_all_buckets_is_the_maximum) {
  Lateness lateness;
  lateness.add(3us);
  lateness.add(1s);
  BOOST_TEST((lateness.percentile(50) <= 10us));
  BOOST_TEST((lateness.percentile(99) == 1s));
}
