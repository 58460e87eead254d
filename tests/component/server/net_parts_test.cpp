#define BOOST_TEST_MODULE net_parts
#include "net/deadlines.hpp"
#include "net/log_limit.hpp"
#include "support/patience.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace rdv;
using namespace std::chrono_literals;
using tunnel::Clock;

namespace {

struct Loop {
  Loop() { asio::co_spawn(io, deadlines.run(), asio::detached); }
  /// Runs until `done`, and a moment more: for what should not come.
  void run_until(const std::function<bool()>& done) {
    const auto ends = Clock::now() + tunnel::test::patience;
    while (!done() && Clock::now() < ends)
      io.run_one_for(20ms);
    BOOST_TEST(done());
    io.run_for(30ms);
  }
  asio::io_context io;
  Deadlines deadlines{io.get_executor()};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(deadlines_come_in_their_order_whatever_order_they_were_set_in, Loop) {
  std::string order;
  Deadline late{deadlines, [&] { order += 'c'; }};
  Deadline early{deadlines, [&] { order += 'a'; }};
  Deadline middle{deadlines, [&] { order += 'b'; }};
  late.expires_after(30ms);
  early.expires_after(10ms);
  middle.expires_after(20ms);
  run_until([&] { return order.size() == 3; });
  BOOST_TEST(order == "abc");
  deadlines.stop();
}

BOOST_FIXTURE_TEST_CASE(a_deadline_may_be_moved_taken_back_and_set_anew_by_its_own_handler, Loop) {
  int moved = 0, taken_back = 0, again = 0;
  Deadline first{deadlines, [&] { ++moved; }};
  first.expires_after(10ms);
  first.expires_after(1h);
  Deadline second{deadlines, [&] { ++taken_back; }};
  second.expires_after(10ms);
  second.cancel();
  Deadline third{deadlines, [&] {
                   if (++again < 3) third.expires_after(5ms);
                 }};
  third.expires_after(5ms);
  run_until([&] { return again == 3; });
  BOOST_TEST(moved == 0);
  BOOST_TEST(taken_back == 0);
  BOOST_TEST(again == 3);
  BOOST_TEST((first.expiry() != Clock::time_point::max()));
  BOOST_TEST((second.expiry() == Clock::time_point::max()));
  deadlines.stop();
}

BOOST_FIXTURE_TEST_CASE(a_handler_may_destroy_its_own_deadline_and_others, Loop) {
  auto other = std::make_unique<Deadline>(deadlines, [] { BOOST_ERROR("it was destroyed"); });
  std::unique_ptr<Deadline> own;
  own = std::make_unique<Deadline>(deadlines, [&] {
    other.reset();
    own.reset();
  });
  const auto when = Clock::now() + 10ms;
  own->expires_at(when);
  other->expires_at(when);
  run_until([&] { return !own; });
  deadlines.stop();
}

BOOST_AUTO_TEST_CASE(a_log_limit_passes_one_line_and_counts_the_rest) {
  LogLimit limit{1s};
  const Clock::time_point start{10s};
  BOOST_TEST((limit.pass(start) == 0U));
  BOOST_TEST(!limit.pass(start + 1ms).has_value());
  BOOST_TEST(!limit.pass(start + 999ms).has_value());
  BOOST_TEST((limit.pass(start + 1s) == 2U));
  BOOST_TEST((limit.pass(start + 3s) == 0U));
}
