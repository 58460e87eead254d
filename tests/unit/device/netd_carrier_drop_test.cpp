#include "netd/carrier_drop.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using device::CarrierDrop;
using device::Clock;
using Action = CarrierDrop::Action;
using namespace std::chrono_literals;

constexpr Clock::time_point t0{1h};
constexpr int port = 7;

BOOST_AUTO_TEST_SUITE(carrier_drop)

BOOST_AUTO_TEST_CASE(a_port_is_off_for_a_second_and_then_excused_until_it_must_have_carrier) {
  CarrierDrop drop;
  BOOST_TEST(!drop.excuses(port));
  BOOST_CHECK(drop.deadline() == Clock::time_point::max());
  drop.begin(port, t0);
  BOOST_TEST(drop.excuses(port));
  BOOST_TEST(!drop.excuses(port + 1));
  BOOST_CHECK(drop.on_deadline(t0 + 999ms) == Action::none);
  BOOST_CHECK(drop.deadline() == t0 + 1s);
  BOOST_CHECK(drop.on_deadline(t0 + 1s) == Action::switch_on);
  drop.on_switched_on(t0 + 1s);
  BOOST_CHECK(drop.on_deadline(t0 + 9s - 1ms) == Action::none);
  BOOST_TEST(drop.excuses(port));
  BOOST_CHECK(drop.on_deadline(t0 + 9s) == Action::look);
  BOOST_TEST(!drop.excuses(port));
  BOOST_CHECK(drop.on_deadline(t0 + 1h) == Action::none);
}

BOOST_AUTO_TEST_CASE(what_switches_it_off_again_meanwhile_makes_it_longer) {
  CarrierDrop drop;
  drop.begin(port, t0);
  drop.begin(port, t0 + 800ms);
  BOOST_CHECK(drop.on_deadline(t0 + 1s) == Action::none);
  BOOST_CHECK(drop.on_deadline(t0 + 1800ms) == Action::switch_on);
  drop.on_switched_on(t0 + 1800ms);
  drop.begin(port, t0 + 3s);
  BOOST_CHECK(drop.on_deadline(t0 + 4s) == Action::switch_on);
}

BOOST_AUTO_TEST_CASE(when_the_kernel_refuses_to_switch_it_on_it_is_tried_again_for_a_while) {
  CarrierDrop drop;
  drop.begin(port, t0);
  auto now = t0;
  for (int attempt = 1; attempt < CarrierDrop::tries_max; ++attempt) {
    now += 1s;
    BOOST_CHECK(drop.on_deadline(now) == Action::switch_on);
    BOOST_TEST(drop.on_refused(now));
    BOOST_TEST(drop.excuses(port));
  }
  BOOST_CHECK(drop.on_deadline(now += 1s) == Action::switch_on);
  BOOST_TEST(!drop.on_refused(now));
  BOOST_TEST(!drop.excuses(port));
  drop.begin(port, now);  // the next time it has as many tries
  BOOST_TEST(drop.on_refused(now));
}

BOOST_AUTO_TEST_CASE(a_port_that_an_earlier_run_had_off_is_excused_likewise) {
  CarrierDrop drop;
  drop.excuse(port, t0);
  BOOST_TEST(drop.excuses(port));
  BOOST_CHECK(drop.on_deadline(t0 + 8s) == Action::look);
  drop.excuse(port, t0);
  drop.cancel();  // unplugged
  BOOST_TEST(!drop.excuses(port));
  BOOST_CHECK(drop.on_deadline(t0 + 8s) == Action::none);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
