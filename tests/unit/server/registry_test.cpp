#include "registry.hpp"

#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;

namespace {

OnlineDevice device(std::string_view text, std::uint64_t connection) {
  return {.connection = ConnectionId{connection},
          .identity = {name("default"), wire::Role::onsite, name(text)},
          .public_address = {},
          .info = {}};
}

constexpr tunnel::Clock::time_point t0{1h};

}  // namespace

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(a_device_is_online_from_join_to_leave) {
  Registry registry;
  BOOST_TEST(!registry.join(device("rpi1100", 1), t0).replaced);
  BOOST_TEST((registry.find(name("rpi1100"))->connection == ConnectionId{1}));
  BOOST_TEST(!registry.leave(ConnectionId{2}, name("rpi1100")));
  BOOST_TEST(registry.leave(ConnectionId{1}, name("rpi1100")).has_value());
  BOOST_TEST(registry.find(name("rpi1100")) == nullptr);
}

BOOST_AUTO_TEST_CASE(four_replacements_within_a_minute_are_a_fight) {
  Registry registry;
  registry.join(device("rpi1100", 1), t0);
  for (std::uint64_t i = 2; i <= 4; ++i)
    BOOST_TEST(!registry.join(device("rpi1100", i), t0).quarantined);
  const auto joined = registry.join(device("rpi1100", 5), t0 + fight_window);
  BOOST_TEST(joined.quarantined);
  BOOST_TEST((joined.replaced->connection == ConnectionId{4}));
  BOOST_TEST(registry.size() == 0U);
  BOOST_TEST((registry.quarantined(name("rpi1100"), t0 + fight_window) == quarantine_time));
}

BOOST_AUTO_TEST_CASE(four_replacements_over_more_than_a_minute_are_none) {
  Registry registry;
  registry.join(device("rpi1100", 1), t0);
  for (std::uint64_t i = 2; i <= 4; ++i)
    registry.join(device("rpi1100", i), t0);
  BOOST_TEST(!registry.join(device("rpi1100", 5), t0 + fight_window + 1ns).quarantined);
}

BOOST_AUTO_TEST_CASE(one_that_proves_to_be_the_same_device_does_not_fight) {
  Registry registry;
  registry.join(device("rpi1100", 1), t0);
  for (std::uint64_t i = 2; i <= 20; ++i) {
    const auto joined = registry.join(device("rpi1100", i), t0, true);
    BOOST_TEST(!joined.quarantined);
    BOOST_TEST((joined.replaced->connection == ConnectionId{i - 1}));
  }
}

BOOST_AUTO_TEST_CASE(a_quarantine_ends_by_itself_and_is_forgotten) {
  Registry registry;
  for (std::uint64_t i = 1; i <= 5; ++i)
    registry.join(device("rpi1100", i), t0);
  registry.sweep(t0 + quarantine_time - 1ns);
  BOOST_TEST((registry.quarantined(name("rpi1100"), t0 + quarantine_time - 1ns) == 1ns));
  registry.sweep(t0 + quarantine_time);
  BOOST_TEST((registry.quarantined(name("rpi1100"), t0) == 0ns));
}

BOOST_AUTO_TEST_SUITE_END()
