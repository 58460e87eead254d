#include "net/policy_routes.hpp"

#include "component/net/support.hpp"
#include "net/leftovers.hpp"
#include "net/net_error.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

Ipv4Address ip(const char* text) {
  return *Ipv4Address::parse(text);
}

constexpr PolicyRoutes::Range range{40, 48, 5240, 5248};

/// A link with 10.77.0.1/24, and a server behind 10.77.0.254.
struct Uplink {
  Uplink() : pair{"up0", "up1"} {
    run("ip addr add 10.77.0.1/24 dev up0");
    index = netlink.index_of("up0", "test");
  }
  PolicyRoutes::Desired desired(const char* gateway = "10.77.0.254") const {
    return {.routes = {{5240, ip("203.0.113.10"), ip(gateway), index},
                       {5248, ip("203.0.113.10"), {}, 0}},
            .rules = {{40, ip("10.77.0.1"), 5240}, {48, std::nullopt, 5240}}};
  }
  VethPair pair;
  Netlink netlink;
  int index = 0;
};

std::string way_to_server(const char* more = "") {
  return run(std::string{"ip route get 203.0.113.10 "} + more);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(policy_routes)

BOOST_AUTO_TEST_CASE(they_lead_our_own_packets_and_are_gone_afterwards) {
  Uplink uplink;
  const auto before = snapshot();
  {
    PolicyRoutes routes{uplink.netlink, range};
    BOOST_TEST(routes.apply(uplink.desired()) == 4);
    BOOST_TEST(contains(way_to_server(), "via 10.77.0.254 dev up0"));
    BOOST_TEST(contains(way_to_server("from 10.77.0.1"), "via 10.77.0.254 dev up0"));
    BOOST_TEST(!succeeds("ip route get 203.0.113.11"));  // no other address follows
    const auto rules = run("ip rule");
    BOOST_TEST(contains(rules, "40:\tfrom 10.77.0.1 iif lo lookup 5240 proto 200"));
    BOOST_TEST(contains(rules, "48:\tfrom all iif lo lookup 5240 proto 200"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(the_same_twice_changes_nothing) {
  Uplink uplink;
  PolicyRoutes routes{uplink.netlink, range};
  routes.apply(uplink.desired());
  const auto before = snapshot();
  BOOST_TEST(routes.apply(uplink.desired()) == 0);
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(only_the_difference_is_changed) {
  Uplink uplink;
  PolicyRoutes routes{uplink.netlink, range};
  routes.apply(uplink.desired());
  BOOST_TEST(routes.apply(uplink.desired("10.77.0.253")) == 2);  // a route goes, a route comes
  BOOST_TEST(contains(way_to_server(), "via 10.77.0.253"));
  auto fixed = uplink.desired();
  fixed.rules.back().table = 5248;
  routes.apply(fixed);
  BOOST_TEST(!succeeds("ip route get 203.0.113.10"));  // unreachable
  BOOST_TEST(contains(way_to_server("from 10.77.0.1"), "dev up0"));
}

BOOST_AUTO_TEST_CASE(what_somebody_deleted_comes_back) {
  Uplink uplink;
  PolicyRoutes routes{uplink.netlink, range};
  routes.apply(uplink.desired());
  run("ip rule del priority 48 && ip route flush table 5240");
  BOOST_TEST(routes.apply(uplink.desired()) == 2);
  run("ip link set up0 down && ip link set up0 up");  // the kernel takes the routes away
  BOOST_TEST(routes.apply(uplink.desired()) == 1);
  BOOST_TEST(routes.apply(uplink.desired()) == 0);
}

BOOST_AUTO_TEST_CASE(foreign_rules_and_routes_are_left_alone) {
  Uplink uplink;
  run("ip rule add from 10.77.0.1 iif lo lookup 5240 priority 40 protocol 199 && "
      "ip rule add iif lo lookup 5240 priority 48 && ip rule add iif lo lookup 77 priority 41 && "
      "ip route add 203.0.113.99 dev up0 table 5240 && ip route add default via 10.77.0.254");
  const auto before = snapshot();
  {
    PolicyRoutes routes{uplink.netlink, range};
    BOOST_TEST(routes.apply(uplink.desired()) == 4);
    BOOST_TEST(routes.apply(uplink.desired()) == 0);
  }
  BOOST_TEST(changes_since(before) == "");
  run("ip rule del priority 40 && ip rule del priority 48 && ip rule del priority 41 && "
      "ip route flush table 5240");
}

BOOST_AUTO_TEST_CASE(what_a_kill_left_is_swept) {
  Uplink uplink;
  const auto before = snapshot();
  run_and_kill([&] {
    Netlink its;
    (new PolicyRoutes{its, range})->apply(uplink.desired());
  });
  BOOST_TEST((snapshot() != before));
  const auto found = sweep_leftovers(uplink.netlink, "");
  BOOST_TEST(found.rules == 2);
  BOOST_TEST(found.routes == 2);
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_route_that_cannot_be_made_is_refused_by_name) {
  Uplink uplink;
  PolicyRoutes routes{uplink.netlink, range};
  BOOST_TEST(refusal([&] {
               routes.apply(uplink.desired("224.0.0.1"));
             }).starts_with("add route 203.0.113.10 table 5240: "));
  BOOST_TEST(routes.apply({}) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
