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
