#include "netd/dnsmasq_config.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using tunnel::Ipv4Prefix;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string config(const char* address, const char* hostname = "master1") {
  return device::dnsmasq_config("usb0", *Ipv4Prefix::parse(address), hostname,
                                device::DnsmasqPaths::in("/run/rdv"));
}

BOOST_AUTO_TEST_SUITE(dnsmasq_config)

BOOST_AUTO_TEST_CASE(the_laptop_gets_the_rest_of_the_network_and_us_as_router_and_dns) {
  const auto text = config("192.168.38.225/29");
  BOOST_TEST(has(text, "dhcp-range=192.168.38.226,192.168.38.230,255.255.255.248,120\n"));
  BOOST_TEST(has(text, "dhcp-option=option:router,192.168.38.225\n"));
  BOOST_TEST(has(text, "dhcp-option=option:dns-server,192.168.38.225\n"));
  BOOST_TEST(has(text, "interface=usb0\n"));
}

BOOST_AUTO_TEST_CASE(our_own_address_is_never_given_away) {
  BOOST_TEST(has(config("10.0.0.6/29"), "dhcp-range=10.0.0.1,10.0.0.5,"));
  BOOST_TEST(has(config("10.0.0.3/29"), "dhcp-range=10.0.0.4,10.0.0.6,"));
  BOOST_TEST(has(config("10.0.0.1/30"), "dhcp-range=10.0.0.2,10.0.0.2,"));
  BOOST_TEST(has(config("10.0.0.2/30"), "dhcp-range=10.0.0.1,10.0.0.1,"));
}

BOOST_AUTO_TEST_CASE(names_and_resolvers_of_this_machine_stay_here) {
  const auto text = config("192.168.38.225/29");
  for (const char* line :
       {"no-hosts\n", "no-resolv\n", "except-interface=lo\n", "dhcp-ignore-names\n"})
    BOOST_TEST(has(text, line), line);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_host_name_is_left_out) {
  BOOST_TEST(has(config("192.168.38.225/29"), "host-record=master1,192.168.38.225\n"));
  for (const char* bad : {"", "localhost", "a b", "x\nserver=1.2.3.4", "a,b"})
    BOOST_TEST(!has(config("192.168.38.225/29", bad), "host-record"), bad);
}

BOOST_AUTO_TEST_CASE(the_customers_servers_are_asked_through_the_tunnel_only) {
  using tunnel::Ipv4Address;
  BOOST_TEST(device::dnsmasq_servers(
                 {*Ipv4Address::parse("192.168.1.53"), *Ipv4Address::parse("10.0.0.1")}, "rdv0") ==
             "server=192.168.1.53@rdv0\nserver=10.0.0.1@rdv0\n");
  BOOST_TEST(device::dnsmasq_servers({}, "rdv0").empty());
}

BOOST_AUTO_TEST_CASE(a_server_that_can_be_no_host_of_the_customer_is_never_asked) {
  using tunnel::Ipv4Address;
  for (const char* bad : {"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.0.0.53", "169.254.1.1",
                          "224.0.0.251", "239.1.2.3", "240.0.0.1", "255.255.255.255"})
    BOOST_TEST(device::dnsmasq_servers({*Ipv4Address::parse(bad)}, "rdv0").empty(), bad);
  for (const char* good :
       {"1.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.0.1", "223.255.255.254"})
    BOOST_TEST(!device::dnsmasq_servers({*Ipv4Address::parse(good)}, "rdv0").empty(), good);
  BOOST_TEST(device::dnsmasq_servers(
                 {*Ipv4Address::parse("127.0.0.1"), *Ipv4Address::parse("192.168.1.53")}, "rdv0") ==
             "server=192.168.1.53@rdv0\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
