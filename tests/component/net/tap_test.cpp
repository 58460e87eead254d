#include "component/net/support.hpp"
#include "net/ingress_redirect.hpp"
#include "net/link.hpp"
#include "net/net_error.hpp"
#include "net/promiscuous.hpp"
#include "net/tun_device.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

bool is_promiscuous(const std::string& link) {
  return !contains(run("ip -d -o link show " + link), "promiscuity 0");
}

constexpr auto tap = TunDevice::Kind::tap;

}  // namespace

/// What L2 mode adds to the kernel objects.
BOOST_AUTO_TEST_SUITE(tap_device)

BOOST_AUTO_TEST_CASE(a_tap_has_nothing_of_its_own_to_say_and_is_taken_over_as_a_tap_only) {
  Netlink netlink;
  const auto before = snapshot();
  {
    const TunDevice device{netlink, TunDevice::Spec{.kind = tap}};
    const Link up{netlink, {.name = device.name()}};
    const auto text = run("ip -d link show rdv0");
    BOOST_TEST(contains(text, "tun type tap pi off vnet_hdr on persist off"), text);
    BOOST_TEST(contains(text, "NOARP"), text);
    BOOST_TEST(contains(text, "gso_max_size 65527"), text);
    BOOST_TEST(run("ip addr show dev rdv0").find("inet") == std::string::npos);
    BOOST_TEST(is_our_tunnel(*netlink.find_link("rdv0")));
    BOOST_TEST(refusal([&] { TunDevice(netlink, device.duplicate()); }) ==
               "take over a TUN device: Invalid argument");
    const TunDevice same{netlink, device.duplicate(), tap};
    BOOST_TEST(same.name() == "rdv0");
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_link_is_promiscuous_as_long_as_somebody_wants_it_also_after_a_kill) {
  const VethPair pair{"pa", "pb"};
  Netlink netlink;
  const auto link = *netlink.find_link("pa");
  {
    const Promiscuous one{link};
    { const Promiscuous another{link}; }
    BOOST_TEST(is_promiscuous("pa"));
  }
  BOOST_TEST(!is_promiscuous("pa"));
  run_and_kill([&] { static const Promiscuous killed{link}; });
  BOOST_TEST(!is_promiscuous("pa"));
  auto gone = link;
  gone.index = 9999;
  BOOST_TEST(refusal([&] { Promiscuous{gone}; }) == "make link pa promiscuous: No such device");
}

BOOST_AUTO_TEST_CASE(a_redirection_stands_on_the_tap_alone_and_replaces_an_older_one) {
  const VethPair pair{"pa", "pb"};
  Netlink netlink;
  const TunDevice device{netlink, TunDevice::Spec{.kind = tap}};
  const auto from = *netlink.find_link(device.name());
  const auto before = run("tc qdisc show; tc filter show dev rdv0 egress");
  {
    const IngressRedirect first{netlink, from, *netlink.find_link("pb")};
    const IngressRedirect second{netlink, from, *netlink.find_link("pa")};
    const auto text = run("tc filter show dev rdv0 egress");
    BOOST_TEST(contains(text, "mirred (Ingress Redirect to device pa) stolen"), text);
    BOOST_TEST(!contains(text, "device pb"), text);
  }
  BOOST_TEST(run("tc qdisc show; tc filter show dev rdv0 egress") == before);
  auto none = *netlink.find_link("pa");
  none.index = 9999;
  BOOST_TEST(refusal([&] {
               IngressRedirect(netlink, from, none);
             }).starts_with("redirect frames of rdv0 to pa"));
  BOOST_TEST(run("tc qdisc show; tc filter show dev rdv0 egress") == before);
}

BOOST_AUTO_TEST_SUITE_END()
