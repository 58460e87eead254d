#include "netd/l2_filter_text.hpp"
#include "netd/l2_port.hpp"
#include "netd/session_setup.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using device::L2PortFacts;

const std::string mac = "02:00:00:00:00:10";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string onsite_text() {
  return device::l2_onsite_filter("eth0", mac, "rdv0");
}
std::string master_text() {
  return device::l2_master_filter("usb0", mac, *tunnel::Ipv4Address::parse("192.168.38.225"),
                                  "rdv0");
}
/// One chain of a table.
std::string chain(const std::string& text, const std::string& name) {
  const auto at = text.find("chain " + name + " {");
  return text.substr(at, text.find("\n}\n", at) - at);
}

L2PortFacts port(const std::string& name) {
  return {.name = name, .kind = {}, .uplink_kind = "lan", .ethernet = true, .carrier = true};
}

BOOST_AUTO_TEST_SUITE(l2)

BOOST_AUTO_TEST_CASE(nothing_of_the_tunnel_reaches_a_host_by_its_tap) {
  for (const auto& text : {onsite_text(), master_text()})
    BOOST_TEST(has(chain(text, "from_tunnel"),
                   "type filter hook ingress device \"rdv0\" priority filter; policy drop;"));
}

BOOST_AUTO_TEST_CASE(both_devices_refuse_what_the_laptops_side_must_not_say) {
  for (const auto& [text, name] :
       {std::pair{onsite_text(), "from_tunnel"}, {master_text(), "from_port"}}) {
    const auto rules = chain(text, name);
    const auto refuses = rules.find("jump to_customer");
    BOOST_TEST(refuses != std::string::npos);
    BOOST_TEST(refuses < rules.find("fwd to"));
    BOOST_TEST(rules.find("counter name too_many drop") < rules.find("fwd to"));
  }
  for (const auto* name : {"to_customer", "first_fragment"})
    BOOST_TEST(chain(onsite_text(), name) == chain(master_text(), name));
}

BOOST_AUTO_TEST_CASE(the_laptops_stations_are_limited_on_both_devices) {
  const std::string of_laptop =
      " { type ether_addr; size 32; flags dynamic,timeout; timeout 30m; }";
  BOOST_TEST(has(onsite_text(), "set far" + of_laptop));
  BOOST_TEST(has(master_text(), "set near" + of_laptop));
}

BOOST_AUTO_TEST_CASE(what_belongs_to_the_customers_cable_stays_with_the_onsite) {
  BOOST_TEST(
      has(chain(onsite_text(), "to_laptop"),
          "ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 counter name refused accept"));
  BOOST_TEST(has(chain(master_text(), "to_laptop"),
                 "ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 counter name refused drop"));
}

BOOST_AUTO_TEST_CASE(a_master_hears_only_what_is_for_its_port) {
  const auto rules = chain(master_text(), "from_port");
  BOOST_TEST(has(rules, "device \"usb0\" priority filter; policy drop;"));
  BOOST_TEST(has(rules, "ether daddr " + mac + " accept"));
  BOOST_TEST(has(rules, "arp daddr ip 192.168.38.225 accept"));
  BOOST_TEST(!has(master_text(), "hook egress"));
}

BOOST_AUTO_TEST_CASE(a_port_that_cannot_be_joined_is_refused_with_what_it_is) {
  const auto why = [](const std::string& name, auto change) {
    auto link = port(name);
    change(link);
    return device::why_not_l2(link);
  };
  BOOST_TEST(why("eth0", [](auto&) {}) == "");
  BOOST_TEST(why("eth0", [](auto& link) { link.kind = "veth"; }) == "");
  BOOST_TEST(has(why("wlan0", [](auto& link) { link.uplink_kind = "wlan"; }), "wlan0 is Wi-Fi"));
  BOOST_TEST(
      has(why("wwan0", [](auto& link) { link.uplink_kind = "wwan"; }), "no Ethernet frames"));
  BOOST_TEST(has(why("ppp0", [](auto& link) { link.ethernet = false; }), "no Ethernet frames"));
  BOOST_TEST(has(why("eth0", [](auto& link) { link.enslaved = true; }), "belongs to a bridge"));
  BOOST_TEST(has(why("br0", [](auto& link) { link.kind = "bridge"; }), "is virtual (bridge)"));
  BOOST_TEST(has(why("eth0", [](auto& link) { link.carrier = false; }), "has no carrier"));
}

BOOST_AUTO_TEST_CASE(an_l2_session_has_no_addresses_and_permits) {
  device::SessionSetup setup;
  std::string problem;
  const device::SessionRequest plain{.role = "onsite", .mode = "L2", .interface = "eth0"};
  BOOST_TEST(device::check_session(plain, setup, problem));
  BOOST_TEST((setup.mode == device::Mode::l2));
  BOOST_TEST(setup.interface == "eth0");
  const auto refused = [&](auto change) {
    auto request = plain;
    change(request);
    return !device::check_session(request, setup, problem);
  };
  BOOST_TEST(refused([](auto& request) { request.tunnel = "192.168.200.4/30"; }));
  BOOST_TEST(refused([](auto& request) { request.allow = {{"10.0.0.0/8", 0, 0, 0}}; }));
  BOOST_TEST(refused([](auto& request) { request.deny = {"10.0.0.0/8"}; }));
  BOOST_TEST(refused([](auto& request) { request.dns = {"10.0.0.1"}; }));
  BOOST_TEST(refused([](auto& request) { request.mode = "l2"; }));
  const device::SessionRequest routed{.role = "onsite", .mode = "L3", .tunnel = "192.168.200.4/30"};
  BOOST_TEST(device::check_session(routed, setup, problem));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
