#include "netd/extremity_policy.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using device::ExtremityPolicy;
using device::LinkFacts;

LinkFacts adapter(int index, const std::string& name) {
  return {.index = index, .name = name, .kind = {}, .ethernet = true, .carrier = true};
}

/// The board's own port, by which the default route goes.
LinkFacts uplink() {
  auto link = adapter(2, "eth0");
  link.on_board = link.default_route = true;
  return link;
}

const ExtremityPolicy plain{{}};

BOOST_AUTO_TEST_SUITE(extremity_policy)

BOOST_AUTO_TEST_CASE(a_usb_adapter_is_the_laptops_port) {
  for (const char* name : {"usb0", "eth1", "enx0013ef001122", "enp1s0u1"})
    BOOST_TEST(plain.why_not(adapter(3, name)).empty(), name);
}

BOOST_AUTO_TEST_CASE(a_veth_is_as_good_as_an_adapter_unless_it_belongs_to_a_bridge) {
  auto link = adapter(3, "usb0");
  link.kind = "veth";
  BOOST_TEST(plain.why_not(link).empty());
  link.enslaved = true;
  BOOST_TEST(!plain.why_not(link).empty());
}

BOOST_AUTO_TEST_CASE(what_has_another_purpose_is_not) {
  const auto with = [](auto change) {
    auto link = adapter(3, "usb0");
    change(link);
    return link;
  };
  BOOST_TEST(!plain.why_not(adapter(2, "eth0")).empty());
  BOOST_TEST(!plain.why_not(adapter(2, "wlan0")).empty());
  BOOST_TEST(!plain.why_not(adapter(2, "wlx0013ef")).empty());
  BOOST_TEST(!plain.why_not(adapter(2, "rdv0")).empty());
  BOOST_TEST(!plain.why_not(with([](auto& link) { link.ethernet = false; })).empty());
  BOOST_TEST(!plain.why_not(with([](auto& link) { link.wireless = true; })).empty());
  BOOST_TEST(!plain.why_not(with([](auto& link) { link.default_route = true; })).empty());
  BOOST_TEST(!plain.why_not(with([](auto& link) { link.addressed = true; })).empty());
  for (const char* kind : {"bridge", "tun", "vlan", "dummy", "macvlan", "wireguard", "bond"})
    BOOST_TEST(!plain.why_not(with([&](auto& link) { link.kind = kind; })).empty(), kind);
}

BOOST_AUTO_TEST_CASE(a_match_replaces_the_judgement_by_name_and_kind) {
  const ExtremityPolicy policy{{.match = "eth*", .exclude = {}, .uplinks = {}}};
  BOOST_TEST(policy.why_not(adapter(2, "eth0")).empty());
  BOOST_TEST(!policy.why_not(adapter(2, "usb0")).empty());
  auto addressed = adapter(3, "eth1");
  addressed.addressed = true;
  BOOST_TEST(policy.why_not(addressed).empty());
}

BOOST_AUTO_TEST_CASE(a_match_never_makes_the_uplink_or_wifi_the_laptops_port) {
  const ExtremityPolicy policy{{.match = "*", .exclude = {}, .uplinks = {"usb9"}}};
  BOOST_TEST(!policy.why_not(uplink()).empty());
  BOOST_TEST(!policy.why_not(adapter(4, "usb9")).empty());
  BOOST_TEST(!policy.why_not(adapter(3, "wlan0")).empty());
  BOOST_TEST(!policy.why_not(adapter(3, "rdv0")).empty());
}

BOOST_AUTO_TEST_CASE(an_excluded_name_is_never_it) {
  const ExtremityPolicy policy{{.match = "", .exclude = {"enp*", "usb1"}, .uplinks = {}}};
  BOOST_TEST(!policy.why_not(adapter(2, "enp3s0")).empty());
  BOOST_TEST(!policy.why_not(adapter(2, "usb1")).empty());
  BOOST_TEST(policy.why_not(adapter(2, "usb0")).empty());
}

BOOST_AUTO_TEST_CASE(without_carrier_there_is_no_port) {
  auto link = adapter(3, "usb0");
  link.carrier = false;
  const auto choice = plain.choose({{link}}, std::nullopt);
  BOOST_TEST(!choice.index);
  BOOST_TEST(choice.spares.empty());
}

BOOST_AUTO_TEST_CASE(the_first_adapter_is_used_and_the_second_named) {
  const auto choice =
      plain.choose({{uplink(), adapter(7, "usb1"), adapter(5, "usb0")}}, std::nullopt);
  BOOST_TEST(choice.index.value() == 5);
  BOOST_TEST(choice.spares == std::vector<std::string>{"usb1"});
  BOOST_TEST(choice.doubtful.empty());
}

BOOST_AUTO_TEST_CASE(the_port_in_use_stays_whatever_else_comes) {
  const auto choice = plain.choose({{uplink(), adapter(5, "usb0"), adapter(7, "usb1")}}, 7);
  BOOST_TEST(choice.index.value() == 7);
  BOOST_TEST(choice.spares == std::vector<std::string>{"usb0"});
}

BOOST_AUTO_TEST_CASE(the_second_takes_over_when_the_first_has_gone_or_lost_its_cable) {
  BOOST_TEST(plain.choose({{uplink(), adapter(7, "usb1")}}, 5).index.value() == 7);
  auto first = adapter(5, "usb0");
  first.carrier = false;
  BOOST_TEST(plain.choose({{uplink(), first, adapter(7, "usb1")}}, 5).index.value() == 7);
}

BOOST_AUTO_TEST_CASE(before_there_is_an_uplink_none_of_several_adapters_is_taken) {
  const auto choice = plain.choose({{adapter(5, "usb0"), adapter(7, "usb1")}}, std::nullopt);
  BOOST_TEST(!choice.index);
  BOOST_TEST(choice.spares.empty());
  BOOST_TEST(choice.doubtful == (std::vector<std::string>{"usb0", "usb1"}));
  auto slow = adapter(7, "usb1");
  slow.carrier = false;  // its other end takes longer
  BOOST_TEST(!plain.choose({{adapter(5, "usb0"), slow}}, std::nullopt).index);
}

BOOST_AUTO_TEST_CASE(one_of_several_is_taken_as_soon_as_it_is_known_which) {
  auto taken = adapter(5, "usb0");
  taken.default_route = true;
  BOOST_TEST(plain.choose({{taken, adapter(7, "usb1")}}, std::nullopt).index.value() == 7);
  taken.default_route = false;
  taken.addressed = true;  // an uplink without a default route, to a server in the same LAN
  BOOST_TEST(plain.choose({{taken, adapter(7, "usb1")}}, std::nullopt).index.value() == 7);
  for (const ExtremityPolicy& policy :
       {ExtremityPolicy{{.match = "usb1"}}, ExtremityPolicy{{.exclude = {"usb0"}}},
        ExtremityPolicy{{.uplinks = {"usb0"}}}})
    BOOST_TEST(
        policy.choose({{adapter(5, "usb0"), adapter(7, "usb1")}}, std::nullopt).index.value() == 7);
}

BOOST_AUTO_TEST_CASE(the_only_adapter_is_taken_without_an_uplink_too) {
  auto own = uplink();
  own.default_route = false;
  BOOST_TEST(plain.choose({{own, adapter(5, "usb0")}}, std::nullopt).index.value() == 5);
}

BOOST_AUTO_TEST_CASE(the_port_in_use_stays_when_the_uplink_fails) {
  const auto choice = plain.choose({{adapter(5, "usb0"), adapter(7, "usb1")}}, 7);
  BOOST_TEST(choice.index.value() == 7);
  BOOST_TEST(choice.spares.empty(), "nobody can say that this one would take over");
}

/// "usb0: laptop", or "usb0: why not", each port in its place.
std::string told(const std::vector<device::PortReport>& reports) {
  std::string text;
  for (const auto& port : reports) {
    BOOST_TEST(port.is_laptops == port.reason.empty());
    BOOST_TEST(port.reason.empty() == port.remedy.empty(), port.name);
    text += port.name + ": " + (port.is_laptops ? "laptop" : port.reason) + "\n";
  }
  return text;
}

BOOST_AUTO_TEST_CASE(every_port_is_named_with_why_it_is_not_the_laptops) {
  auto bridge = adapter(4, "br0"), loopback = adapter(1, "lo");
  bridge.kind = "bridge";
  loopback.ethernet = false;
  auto idle = adapter(9, "usb2");
  idle.carrier = false;
  const std::vector links{loopback, uplink(),           adapter(3, "wlan0"),
                          bridge,   adapter(5, "usb0"), adapter(7, "usb1"),
                          idle,     adapter(8, "rdv0")};
  BOOST_TEST(told(plain.report(links, 5, "")) ==
             "eth0: it is a way to the Internet\n"
             "wlan0: it is Wi-Fi\n"
             "usb0: laptop\n"
             "usb1: usb0 is the laptop's port\n"
             "usb2: nobody is at the other end of its cable\n");
  BOOST_TEST(plain.report({{adapter(5, "usb0")}}, 5, "no dnsmasq")[0].reason == "no dnsmasq");
  BOOST_TEST(plain.report({{adapter(5, "usb0")}}, std::nullopt, "refused")[0].reason == "refused");
}

BOOST_AUTO_TEST_CASE(a_doubt_is_told_with_what_ends_it) {
  const auto reports = plain.report({{adapter(5, "usb0"), adapter(7, "usb1")}}, std::nullopt, "");
  for (const auto& port : reports) {
    BOOST_TEST(port.reason.find("no default route yet") != std::string::npos, port.reason);
    BOOST_TEST(port.remedy.find("[master] match") != std::string::npos, port.remedy);
  }
  BOOST_TEST(reports.size() == 2);
}

BOOST_AUTO_TEST_CASE(no_more_ports_are_named_than_a_person_reads_and_hardware_first) {
  std::vector<LinkFacts> links;
  for (int index = 2; index < 40; ++index) {
    links.push_back(adapter(index, "veth" + std::to_string(index)));
    links.back().kind = "veth";
  }
  links.push_back(adapter(40, "usb0"));
  const auto reports = plain.report(links, std::nullopt, "");
  BOOST_TEST(reports.size() == ExtremityPolicy::reports_max);
  BOOST_TEST(reports[0].name == "usb0");
}

BOOST_AUTO_TEST_CASE(an_address_from_elsewhere_does_not_take_the_port_in_use_away) {
  auto link = adapter(5, "usb0");
  link.addressed = true;
  BOOST_TEST(plain.choose({{link}}, 5).index.value() == 5);
  BOOST_TEST(!plain.choose({{link}}, std::nullopt).index);
}

BOOST_AUTO_TEST_CASE(a_port_that_becomes_the_uplink_is_given_up) {
  auto link = adapter(5, "usb0");
  link.default_route = true;
  BOOST_TEST(!plain.choose({{link}}, 5).index);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
