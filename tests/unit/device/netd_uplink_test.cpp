#include "netd/uplink.hpp"

#include <boost/test/unit_test.hpp>
#include <net/if_arp.h>

namespace {

using device::names_only_resolved;
using device::parse_resolv_conf;
using device::uplink_kind;
using Servers = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(uplink)

BOOST_AUTO_TEST_CASE(servers_are_read_in_order_and_once) {
  const auto servers = parse_resolv_conf(
      "# a comment\nsearch example.com\nnameserver 192.168.1.1\n  nameserver\t2001:db8::1 # v6\n"
      "nameserver 192.168.1.1\nnameserver 10.0.0.1\r\n");
  BOOST_TEST(servers == (Servers{"192.168.1.1", "2001:db8::1", "10.0.0.1"}));
}

BOOST_AUTO_TEST_CASE(what_is_no_server_is_passed_over) {
  BOOST_TEST(parse_resolv_conf("").empty());
  BOOST_TEST(parse_resolv_conf("nameserver").empty());
  BOOST_TEST(parse_resolv_conf("nameserver \nnameservers 1.2.3.4\nnameserver1.2.3.4\n").empty());
  BOOST_TEST(
      parse_resolv_conf("nameserver dns.example\nnameserver 1.2.3\n;nameserver 1.2.3.4").empty());
}

BOOST_AUTO_TEST_CASE(a_resolver_on_this_machine_is_of_no_use_to_others) {
  BOOST_TEST(
      parse_resolv_conf("nameserver 127.0.0.53\nnameserver ::1\nnameserver 0.0.0.0\n").empty());
}

BOOST_AUTO_TEST_CASE(only_systemd_resolved_means_look_behind_it) {
  BOOST_TEST(names_only_resolved("nameserver 127.0.0.53\noptions edns0\n"));
  BOOST_TEST(!names_only_resolved("nameserver 127.0.0.53\nnameserver 192.168.1.1\n"));
  BOOST_TEST(!names_only_resolved("nameserver 127.0.0.1\n"));
  BOOST_TEST(!names_only_resolved(""));
}

BOOST_AUTO_TEST_CASE(there_is_a_limit_to_servers_and_text) {
  std::string text;
  for (int i = 1; i < 100; ++i)
    text += "nameserver 10.0.0." + std::to_string(i) + "\n";
  BOOST_TEST(parse_resolv_conf(text).size() == device::uplink_dns_max);
  const std::string far(device::resolv_conf_bytes_max, '\n');
  BOOST_TEST(parse_resolv_conf(far + "nameserver 10.0.0.1\n").empty());
}

BOOST_AUTO_TEST_CASE(the_kind_is_told_by_the_kernel_and_else_by_the_name) {
  BOOST_TEST(uplink_kind("eth0", ARPHRD_ETHER, false, "") == "lan");
  BOOST_TEST(uplink_kind("enx00", ARPHRD_ETHER, true, "") == "wlan");
  BOOST_TEST(uplink_kind("wlan0", ARPHRD_ETHER, false, "") == "wlan");
  BOOST_TEST(uplink_kind("eth1", ARPHRD_ETHER, false, "wwan") == "wwan");
  BOOST_TEST(uplink_kind("wwan0", ARPHRD_ETHER, false, "") == "wwan");
  BOOST_TEST(uplink_kind("ppp0", ARPHRD_PPP, false, "") == "wwan");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
