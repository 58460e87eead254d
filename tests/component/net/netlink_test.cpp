#include "net/netlink.hpp"

#include "component/net/support.hpp"
#include "net/net_error.hpp"

#include <boost/test/unit_test.hpp>
#include <netlink/errno.h>

#include <cerrno>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

BOOST_AUTO_TEST_SUITE(netlink)

BOOST_AUTO_TEST_CASE(reads_a_link) {
  const VethPair veth{"usb0", "usb1"};
  run("ip link set usb0 mtu 1400 address 02:00:00:00:00:07");
  Netlink netlink;
  const auto link = netlink.find_link("usb0");
  BOOST_REQUIRE(link.has_value());
  BOOST_TEST(link->name == "usb0");
  BOOST_TEST(link->mac == "02:00:00:00:00:07");
  BOOST_TEST(link->kind == "veth");
  BOOST_TEST(link->mtu_bytes == 1400);
  BOOST_TEST(link->hardware == 1);
  BOOST_TEST(link->up);
  BOOST_TEST(link->carrier);
  BOOST_TEST(link->master_index == 0);
  BOOST_TEST(netlink.links().size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_cable_without_other_end_is_no_carrier) {
  const VethPair veth{"usb0", "usb1"};
  run("ip link set usb1 down");
  Netlink netlink;
  BOOST_TEST(netlink.find_link("usb0")->up);
  BOOST_TEST(!netlink.find_link("usb0")->carrier);
  BOOST_TEST(!netlink.find_link("usb1")->up);
  BOOST_TEST(!netlink.find_link("usb1")->carrier);
}

BOOST_AUTO_TEST_CASE(a_link_that_is_not_there_is_nothing) {
  Netlink netlink;
  BOOST_TEST(!netlink.find_link("usb0").has_value());
  BOOST_TEST(!netlink.find_link("").has_value());
  BOOST_TEST(!netlink.find_link("a name longer than any link's").has_value());
  try {
    netlink.index_of("usb0", "switch on link usb0");
    BOOST_ERROR("should throw");
  } catch (const NetError& e) {
    BOOST_TEST(e.what() == std::string{"switch on link usb0: No such device"});
    BOOST_TEST(e.code() == boost::system::errc::no_such_device);
  }
}

BOOST_AUTO_TEST_CASE(reads_addresses_and_who_put_them_there) {
  const VethPair veth{"usb0", "usb1"};
  run("ip addr add 192.168.1.10/24 dev usb0 && ip addr add 10.0.0.1 peer 10.0.0.2/32 dev usb1");
  Netlink netlink;
  const auto first = netlink.addresses(netlink.find_link("usb0")->index);
  BOOST_REQUIRE(first.size() == 1U);
  BOOST_TEST(first[0].address.str() == "192.168.1.10/24");
  BOOST_TEST(first[0].protocol == 0);
  const auto second = netlink.addresses(netlink.find_link("usb1")->index);
  BOOST_REQUIRE(second.size() == 1U);
  BOOST_TEST(second[0].address.str() == "10.0.0.1/32");
  BOOST_TEST(netlink.addresses().size() == 3U);  // and 127.0.0.1
}

BOOST_AUTO_TEST_CASE(the_default_route_is_the_usable_one_with_the_lowest_metric) {
  const VethPair veth{"wan0", "wan1"};
  const VethPair other{"lte0", "lte1"};
  run("ip addr add 10.0.0.2/24 dev wan0 && ip addr add 10.1.0.2/24 dev lte0");
  Netlink netlink;
  BOOST_TEST(!netlink.default_route().has_value());
  run("ip route add default via 10.1.0.1 metric 700 && ip route add default dev wan0 table 7 &&"
      "ip route add unreachable default metric 4278198272 && ip route add 10.9.0.0/16 via "
      "10.0.0.1");
  // Eventually: that a link has its carrier comes to its routes later.
  const auto is = [&](const std::string& link) {
    return eventually(
        [&] { return netlink.default_route().value_or(DefaultRoute{}).link == link; });
  };
  BOOST_TEST(is("lte0"));
  run("ip route add default metric 100 nexthop via 10.0.0.1 dev wan0 nexthop via 10.1.0.1 dev "
      "lte0");
  BOOST_TEST(is("wan0"));
  BOOST_TEST(netlink.default_route()->gateway.str() == "10.0.0.1");
  BOOST_TEST(netlink.default_route()->metric == 100U);
  run("ip route del default metric 100 && ip route add default via 10.0.0.1 metric 100");
  BOOST_TEST(is("wan0"));
  run("ip link set wan1 down");
  BOOST_TEST(is("lte0"));
  run("ip route flush scope global");
}

BOOST_AUTO_TEST_CASE(a_table_of_thousands_is_read_whole) {
  const VethPair veth{"usb0", "usb1"};
  run("for i in $(seq 0 15); do for j in $(seq 1 250); do echo addr add 10.8.$i.$j/32 dev usb0; "
      "done; done | ip -batch -");
  Netlink netlink;
  BOOST_TEST(netlink.addresses(netlink.find_link("usb0")->index).size() == 4000U);
}

BOOST_AUTO_TEST_CASE(libnls_own_codes_become_errno_values_where_they_have_one) {
  BOOST_TEST(netlink_error(0) == boost::system::error_code{});
  BOOST_TEST(netlink_error(-NLE_EXIST) == boost::system::errc::file_exists);
  BOOST_TEST(netlink_error(-NLE_PERM) == boost::system::errc::operation_not_permitted);
  BOOST_TEST(netlink_error(-NLE_NODEV).message() == "No such device");
  const auto own = netlink_error(-NLE_MSG_TRUNC);
  BOOST_TEST((own.category() == netlink_category()));
  BOOST_TEST(own.message().find("truncated") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
