#include "tunnel_pool.hpp"

#include "broker_fixture.hpp"

#include <set>

using namespace rdv;
using namespace rdv::test;
using Prefixes = std::vector<tunnel::Ipv4Prefix>;

BOOST_AUTO_TEST_SUITE(tunnel_pool)

BOOST_AUTO_TEST_CASE(every_tunnel_is_given_once_until_it_comes_back) {
  TunnelPool pool;
  std::set<std::string> given;
  for (std::size_t i = 0; i < TunnelPool::size; ++i) {
    const auto tunnel = pool.take({}, {});
    BOOST_REQUIRE(tunnel);
    BOOST_REQUIRE(tunnel->length == 30 && prefix("192.168.128.0/17").contains(tunnel->address));
    given.insert(tunnel->str());
  }
  BOOST_TEST(given.size() == TunnelPool::size);
  BOOST_TEST(!pool.take({}, {}));
  pool.give_back(prefix("192.168.200.4/30"));
  BOOST_TEST(pool.take({}, {})->str() == "192.168.200.4/30");
}

BOOST_AUTO_TEST_CASE(a_tunnel_comes_back_as_late_as_possible) {
  TunnelPool pool;
  const auto first = pool.take({}, {});
  pool.give_back(*first);
  BOOST_TEST(pool.take({}, {})->str() != first->str());
}

BOOST_AUTO_TEST_CASE(what_must_never_overlap_does_not) {
  TunnelPool pool;
  const Prefixes never{prefix("192.168.128.0/18"), prefix("192.168.192.0/30")};
  BOOST_TEST(pool.take(never, {})->str() == "192.168.192.4/30");
  const Prefixes all{prefix("0.0.0.0/0")};
  BOOST_TEST(!pool.take(all, {}));
}

BOOST_AUTO_TEST_CASE(what_should_rather_not_overlap_does_so_only_in_need) {
  TunnelPool pool;
  const Prefixes rather_not{prefix("192.168.128.0/18")};
  BOOST_TEST(pool.take({}, rather_not)->str() == "192.168.192.0/30");
  const Prefixes everything{prefix("192.168.0.0/16")};
  BOOST_TEST(pool.take({}, everything).has_value());
}

BOOST_AUTO_TEST_CASE(one_that_was_given_before_can_be_had_again_if_it_is_free) {
  TunnelPool pool;
  const auto first = prefix("192.168.128.0/30");
  BOOST_TEST(pool.reserve(first));
  BOOST_TEST(!pool.reserve(first));
  BOOST_TEST((pool.take({}, {}) != first));
  BOOST_TEST(!pool.reserve(prefix("10.0.0.0/30")));
  BOOST_TEST(!pool.reserve(prefix("192.168.128.0/29")));
  BOOST_TEST(!pool.reserve(prefix("192.168.128.1/30")));
  pool.give_back(first);
  BOOST_TEST(pool.reserve(first));
}

BOOST_AUTO_TEST_CASE(what_was_never_given_can_be_given_back) {
  TunnelPool pool;
  pool.give_back(prefix("10.0.0.0/30"));
  BOOST_TEST(pool.taken() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
