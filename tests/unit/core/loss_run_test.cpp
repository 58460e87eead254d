#define BOOST_TEST_MODULE loss_run
#include "core/loss_run.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel::core {

BOOST_AUTO_TEST_CASE(one_in_300_twice_in_a_row_is_lossy_and_stays_so) {
  LossRun run;
  BOOST_TEST(!run.add(300, 1));
  BOOST_TEST(run.add(600, 2));
  BOOST_TEST(run.add(100'000, 2));
}

BOOST_AUTO_TEST_CASE(less_than_that_or_not_in_a_row_is_not) {
  LossRun run;
  for (std::uint32_t look = 1; look < 20; ++look)
    BOOST_TEST(!run.add(look * 301, look));
  BOOST_TEST(!run.add(10'000, 500));
  BOOST_TEST(!run.add(20'000, 500));
  BOOST_TEST(!run.add(30'000, 1000));
}

BOOST_AUTO_TEST_CASE(too_few_segments_say_nothing) {
  LossRun run;
  BOOST_TEST(!run.add(1000, 50));
  BOOST_TEST(!run.add(1049, 90));  // neither for
  BOOST_TEST(run.add(2000, 100));  // nor against
}

BOOST_AUTO_TEST_CASE(counters_may_wrap) {
  LossRun run;
  BOOST_TEST(!run.add(4'294'967'000U, 0));
  BOOST_TEST(!run.add(300, 4));
  BOOST_TEST(run.add(900, 8));
}

}  // namespace tunnel::core
