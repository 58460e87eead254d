#include "component/net/support.hpp"
#include "net/ip_rule.hpp"
#include "net/local_rule.hpp"
#include "net/net_error.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

IpRule::Spec from_usb0() {
  return {.iif = "usb0", .table = 1, .priority = 20};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rules)

BOOST_AUTO_TEST_CASE(a_rule_is_there_and_then_gone) {
  Netlink netlink;
  const auto before = snapshot();
  {
    const IpRule to_us{netlink,
                       {.iif = "usb0",
                        .to = Ipv4Prefix::parse("192.168.38.224/29"),
                        .table = 255,
                        .priority = 10}};
    const IpRule rest{netlink, from_usb0()};
    const auto rules = run("ip rule");
    BOOST_TEST(contains(
        rules, "10:\tfrom all to 192.168.38.224/29 iif usb0 [detached] lookup local proto 200"));
    BOOST_TEST(contains(rules, "20:\tfrom all iif usb0 [detached] lookup 1 proto 200"));
    BOOST_TEST(refusal([&] {
                 IpRule{netlink, from_usb0()};
               }) == "add rule iif usb0 lookup 1: File exists");
    BOOST_TEST(run("ip rule") == rules);
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(foreign_rules_are_left_alone) {
  Netlink netlink;
  run("ip rule add iif usb0 lookup 1 priority 21 && ip rule add from 10.0.0.0/8 iif usb0 lookup 1 "
      "priority 20");
  const auto before = snapshot();
  { const IpRule rule{netlink, from_usb0()}; }
  BOOST_TEST(changes_since(before) == "");
  {
    const IpRule rule{netlink, from_usb0()};
    run("ip rule del iif usb0 lookup 1 priority 20 protocol 200");
    run("ip rule add iif usb0 lookup 1 priority 20 protocol 199");  // the same, but somebody else's
  }
  BOOST_TEST(contains(run("ip rule"), "20:\tfrom all iif usb0 [detached] lookup 1 proto 199\n"));
  run("ip rule del priority 20 && ip rule del priority 20 && ip rule del priority 21");
}

BOOST_AUTO_TEST_CASE(the_local_rule_is_moved_and_comes_back_as_the_kernel_made_it) {
  Netlink netlink;
  const auto before = snapshot();
  {
    const LocalRule moved{netlink};
    const auto rules = run("ip rule");
    BOOST_TEST(!contains(rules, "0:\tfrom all lookup local\n0:"));
    BOOST_TEST(rules.starts_with("30:\tfrom all lookup local proto 200\n32766:"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_local_rule_that_somebody_moved_is_left_alone) {
  Netlink netlink;
  run("ip rule add lookup local priority 100 && ip rule del priority 0");
  const auto before = snapshot();
  {
    const LocalRule moved{netlink};
    BOOST_TEST(changes_since(before) == "");
  }
  BOOST_TEST(changes_since(before) == "");
  run("ip rule add lookup local priority 0 protocol kernel && ip rule del priority 100");
}

BOOST_AUTO_TEST_CASE(a_second_move_is_refused_or_nothing_but_never_loses_the_rule) {
  Netlink netlink;
  const auto before = snapshot();
  {
    const LocalRule moved{netlink};
    { const LocalRule again{netlink}; }
    BOOST_TEST(run("ip rule").starts_with("30:\tfrom all lookup local proto 200\n32766:"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(without_a_way_to_look_up_local_addresses_nothing_is_changed) {
  Netlink netlink;
  run("ip rule del priority 0");
  BOOST_TEST(
      refusal([&] { LocalRule{netlink}; }).starts_with("find the kernel's rule lookup local"));
  run("ip rule add lookup local priority 0 protocol kernel");
}

BOOST_AUTO_TEST_SUITE_END()
