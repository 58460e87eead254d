#define BOOST_TEST_MODULE mode_trial
#include "core/mode_trial.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel;
using namespace tunnel::core;
using namespace std::chrono_literals;
using wire::CloseCode;

namespace {
constexpr Clock::time_point t0{1h};
}

BOOST_AUTO_TEST_CASE(what_nobody_confirms_is_over_after_30_seconds) {
  ModeTrial trial{wire::Mode::l3};
  BOOST_TEST(!trial.is_over(t0 + 1h));  // not established yet
  trial.on_established(t0);
  trial.on_established(t0 + 20s);  // resumed: it is not put off
  BOOST_TEST(!trial.is_over(t0 + 29s));
  BOOST_TEST(trial.is_over(t0 + 30s));
  BOOST_CHECK(trial.back() == wire::Mode::l3);
  BOOST_CHECK(trial.until() == t0 + 30s);
}

BOOST_AUTO_TEST_CASE(what_is_confirmed_stays) {
  ModeTrial trial{wire::Mode::l3};
  trial.on_established(t0);
  trial.confirm();
  BOOST_TEST(!trial.is_over(t0 + 1h));
  BOOST_TEST(!trial.is_failure(true, CloseCode::kernel));
  ModeTrial none;
  none.on_established(t0);
  BOOST_TEST(!none.is_over(t0 + 1h));
}

BOOST_AUTO_TEST_CASE(a_mode_that_comes_to_nothing_brings_the_other_back_but_not_against_a_will) {
  const ModeTrial trial{wire::Mode::l3};
  for (const auto code : {CloseCode::operator_ /* of a refusal */, CloseCode::kernel,
                          CloseCode::no_echo, CloseCode::network, CloseCode::peer_lost})
    BOOST_TEST(trial.is_failure(true, code));
  BOOST_TEST(!trial.is_failure(false, CloseCode::operator_));
  for (const auto code :
       {CloseCode::terminal_closed, CloseCode::unplugged, CloseCode::carrier_lost,
        CloseCode::administrator, CloseCode::revoked, CloseCode::customer, CloseCode::shutdown})
    BOOST_TEST(!trial.is_failure(true, code));
}
