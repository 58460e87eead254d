#include "netd/filter_text.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using device::Permit;
using device::SessionSetup;
using tunnel::Ipv4Address;
using tunnel::Ipv4Prefix;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

SessionSetup onsite_setup(std::vector<Permit> allow) {
  SessionSetup setup;
  setup.role = device::Role::onsite;
  setup.tunnel = *Ipv4Prefix::parse("192.168.200.4/30");
  setup.allow = std::move(allow);
  return setup;
}

Permit permit(const char* prefix, std::uint8_t protocol = 0, std::uint16_t first = 0,
              std::uint16_t last = 0) {
  return {*Ipv4Prefix::parse(prefix), protocol, first, last};
}

std::string filter_of(const SessionSetup& setup) {
  return onsite_filter(setup, "eth0", {*Ipv4Address::parse("192.168.1.10")}, "rdv0");
}

BOOST_AUTO_TEST_SUITE(filter_text)

BOOST_AUTO_TEST_CASE(without_a_session_the_laptop_is_answered_but_for_us_and_for_everybody) {
  const auto text = device::no_way_filter("usb0", *Ipv4Prefix::parse("192.168.38.225/29"), "drop");
  BOOST_TEST(has(text, "ip daddr { 192.168.38.224/29, 224.0.0.0/4, 255.255.255.255 } accept"));
  BOOST_TEST(has(text, R"(iifname "usb0" drop)"));
}

BOOST_AUTO_TEST_CASE(a_master_lets_the_laptop_begin_and_the_customer_only_answer) {
  const auto text = device::master_filter("usb0", *Ipv4Prefix::parse("192.168.38.225/29"), "rdv0");
  BOOST_TEST(
      has(text, R"(iifname "usb0" oifname "rdv0" ip saddr 192.168.38.224/29 meta mark set)"));
  BOOST_TEST(has(
      text,
      R"(iifname "rdv0" oifname "usb0" ip daddr 192.168.38.224/29 ct state established,related)"));
  BOOST_TEST(has(text, R"(oifname "rdv0" masquerade)"));
  BOOST_TEST(!has(text, "ct state new"));
}

BOOST_AUTO_TEST_CASE(an_onsite_permits_what_is_granted_from_the_masters_end_only) {
  const auto text = filter_of(onsite_setup({permit("192.168.1.0/24")}));
  BOOST_TEST(has(text, "ip daddr 192.168.1.0/24 meta mark set 0x52445600 accept"));
  BOOST_TEST(has(text, R"(iifname "rdv0" oifname "eth0" ip saddr 192.168.200.6 goto permits)"));
  BOOST_TEST(has(text, R"(oifname "eth0" ip saddr 192.168.200.6 masquerade)"));
  BOOST_TEST(
      has(text, R"(iifname "eth0" oifname "rdv0" ip daddr 192.168.200.6 ct state established)"));
}

BOOST_AUTO_TEST_CASE(protocols_and_ports_narrow_a_permit) {
  const auto text =
      filter_of(onsite_setup({permit("10.0.0.5/32", 6, 80, 80),
                              permit("10.0.0.6/32", 17, 5000, 5010), permit("10.0.0.7/32", 1)}));
  BOOST_TEST(has(text, "ip daddr 10.0.0.5/32 meta l4proto 6 th dport 80 meta mark set"));
  BOOST_TEST(has(text, "ip daddr 10.0.0.6/32 meta l4proto 17 th dport 5000-5010 meta mark set"));
  BOOST_TEST(has(text, "ip daddr 10.0.0.7/32 meta l4proto 1 meta mark set"));
}

BOOST_AUTO_TEST_CASE(nothing_granted_is_nothing_permitted) {
  const auto text = filter_of(onsite_setup({}));
  const auto permits = text.substr(text.find("chain permits"),
                                   text.find("chain refused") - text.find("chain permits"));
  BOOST_TEST(!has(permits, "ip daddr 1"));
}

BOOST_AUTO_TEST_CASE(
    loopback_link_local_multicast_and_the_server_are_refused_before_anything_else) {
  auto setup = onsite_setup({permit("0.0.0.0/0")});
  setup.deny = {*Ipv4Prefix::parse("203.0.113.10/32")};
  const auto text = filter_of(setup);
  BOOST_TEST(has(
      text, "elements = { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3, 203.0.113.10/32 }"));
  BOOST_TEST(text.find("ip daddr @denied goto refused") <
             text.find("ct state established,related"));
  BOOST_TEST(text.find("ip daddr @denied goto refused") < text.find("ip daddr 0.0.0.0/0"));
}

BOOST_AUTO_TEST_CASE(our_end_of_the_tunnel_is_open_as_far_as_our_lan_address_is) {
  const auto ssh = filter_of(onsite_setup({permit("192.168.1.0/24", 6, 22, 22)}));
  BOOST_TEST(has(ssh, "ip daddr 192.168.200.5 meta l4proto 6 th dport 22 meta mark set"));
  const auto elsewhere = filter_of(onsite_setup({permit("10.0.0.0/8", 6, 22, 22)}));
  BOOST_TEST(!has(elsewhere, "ip daddr 192.168.200.5 meta l4proto"));
  BOOST_TEST(has(elsewhere, "ip daddr 192.168.200.5 icmp type echo-request"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
