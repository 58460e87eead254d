#include "audit/limit.hpp"
#include "audit/queue.hpp"
#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;

namespace {

constexpr tunnel::UnixMillis start_ms = start_unix * 1000;
constexpr char full[] = "No space left on device";

Event closed(std::uint64_t session) {
  return {.kind = Event::Kind::closed, .session = session};
}

/// Writes all that waits. @return the kinds, in order
std::vector<Event::Kind> drain(AuditQueue& queue) {
  std::vector<Event::Kind> written;
  for (; !queue.empty(); queue.pop())
    written.push_back(queue.front().event.kind);
  return written;
}

Event refused(std::string_view master) {
  return {.kind = Event::Kind::open_refused, .master = std::string{master}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(audit_queue)

BOOST_AUTO_TEST_CASE(what_comes_is_written_in_order_with_the_time_at_which_it_happened) {
  AuditQueue queue;
  queue.push(closed(1), start_ms);
  queue.push(closed(2), start_ms + 5);
  BOOST_TEST(queue.front().event.session == 1U);
  queue.pop();
  BOOST_TEST(queue.front().event.session == 2U);
  BOOST_TEST(queue.front().time == start_ms + 5);
  queue.pop();
  BOOST_TEST((queue.set_trouble("", start_ms) == AuditQueue::Change::none));
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(an_alarm_is_raised_once_and_is_over_when_all_is_written) {
  AuditQueue queue;
  queue.push(closed(1), start_ms);
  BOOST_TEST((queue.set_trouble(full, start_ms) == AuditQueue::Change::raised));
  BOOST_TEST(queue.trouble() == full);
  BOOST_TEST(queue.since() == start_ms);
  BOOST_TEST((queue.set_trouble("still full", start_ms + 1000) == AuditQueue::Change::none));
  BOOST_TEST(queue.trouble() == "still full");
  // There is room, but not everything has been written yet.
  BOOST_TEST((queue.set_trouble("", start_ms + 2000) == AuditQueue::Change::none));
  drain(queue);
  BOOST_TEST((queue.set_trouble("", start_ms + 3000) == AuditQueue::Change::over));
  BOOST_TEST(queue.trouble() == "");
  const auto& gap = queue.front().event;
  BOOST_TEST((gap.kind == Event::Kind::audit_gap));
  BOOST_TEST(gap.count == 0U);
  BOOST_TEST(gap.seconds == 3);
  BOOST_TEST(gap.text == "still full");
  BOOST_TEST((queue.set_trouble("", start_ms + 4000) == AuditQueue::Change::none));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_counted_and_the_count_stands_where_it_is_missing) {
  AuditQueue queue;
  (void)queue.set_trouble(full, start_ms);
  for (std::uint64_t i = 0; i < AuditQueue::waiting_max + 9; ++i)
    queue.push(closed(i), start_ms);
  BOOST_TEST(queue.waiting() == AuditQueue::waiting_max);
  BOOST_TEST(queue.lost() == 10U);  // the alarm's own record waits as well
  // Half of them find room: what comes now stands behind the gap, so it is lost with it.
  for (std::size_t i = 0; i < AuditQueue::waiting_max / 2; ++i)
    queue.pop();
  queue.push(closed(1), start_ms);
  BOOST_TEST(queue.lost() == 11U);
  drain(queue);
  BOOST_TEST((queue.set_trouble("", start_ms) == AuditQueue::Change::over));
  queue.push(closed(2), start_ms);
  BOOST_TEST(queue.front().event.count == 11U);
  BOOST_TEST((drain(queue) == std::vector{Event::Kind::audit_gap, Event::Kind::closed}));
  BOOST_TEST(queue.lost() == 0U);
}

BOOST_AUTO_TEST_CASE(an_alarm_that_nothing_was_lost_in_is_in_the_record_too) {
  AuditQueue queue;
  BOOST_TEST((queue.set_trouble(full, start_ms) == AuditQueue::Change::raised));
  BOOST_TEST((drain(queue) == std::vector{Event::Kind::audit_alarm}));
  BOOST_TEST((queue.set_trouble("", start_ms - 5000) == AuditQueue::Change::over));
  BOOST_TEST(queue.front().event.seconds == 0);  // the clock was set back
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(audit_limit)

BOOST_AUTO_TEST_CASE(a_device_that_is_refused_over_and_over_does_not_fill_the_audit) {
  AuditLimit limit;
  const tunnel::Clock::time_point t0{};
  std::size_t taken = 0;
  for (std::size_t i = 0; i < 1'000; ++i)
    taken += limit.takes(refused("rpi2001"), t0) ? 1 : 0;
  BOOST_TEST(taken == AuditLimit::taken_max);
  BOOST_TEST(limit.takes(refused("rpi2002"), t0));  // another has its own
  BOOST_TEST(limit.takes(closed(1), t0));           // sessions are always recorded
  BOOST_TEST(limit.sweep(t0 + AuditLimit::period - 1s).empty());
  const auto summaries = limit.sweep(t0 + AuditLimit::period);
  BOOST_REQUIRE_EQUAL(summaries.size(), 1U);
  BOOST_TEST(summaries[0].device == "rpi2001");
  BOOST_TEST(summaries[0].count == 1'000 - AuditLimit::taken_max);
  BOOST_TEST(limit.takes(refused("rpi2001"), t0 + AuditLimit::period));
}

BOOST_AUTO_TEST_CASE(so_many_names_that_a_stranger_could_invent_share_one_allowance) {
  AuditLimit limit;
  const tunnel::Clock::time_point t0{};
  for (std::size_t i = 0; i < AuditLimit::subjects_max; ++i)
    BOOST_TEST(limit.takes(refused("m" + std::to_string(i)), t0));
  std::size_t taken = 0;
  for (std::size_t i = 0; i < 500; ++i)
    taken += limit.takes(refused("x" + std::to_string(i)), t0) ? 1 : 0;
  BOOST_TEST(taken == AuditLimit::taken_max);
}

BOOST_AUTO_TEST_SUITE_END()
