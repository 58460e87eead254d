#include "net/link_monitor.hpp"

#include "component/net/support.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <poll.h>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;
using Kind = LinkEvent::Kind;

namespace {

std::vector<LinkEvent> read_all(LinkMonitor& monitor) {
  std::vector<LinkEvent> all;
  for (;;) {
    const auto some = monitor.read_events();
    if (some.empty()) return all;
    all.insert(all.end(), some.begin(), some.end());
  }
}

template <class Condition>
bool any(const std::vector<LinkEvent>& events, Condition condition) {
  return std::any_of(events.begin(), events.end(), condition);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(link_monitor)

BOOST_AUTO_TEST_CASE(hears_of_a_link_that_comes_and_goes) {
  LinkMonitor monitor;
  BOOST_TEST(monitor.read_events().empty());
  const auto hears = [&](auto condition) {
    return eventually([&] { return any(read_all(monitor), condition); });
  };
  const auto usb0 = [](const LinkEvent& event, Kind kind) {
    return event.kind == kind && event.link.name == "usb0";
  };
  {
    const VethPair veth{"usb0", "usb1"};
    pollfd waiting{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
    BOOST_TEST(::poll(&waiting, 1, std::chrono::milliseconds{patience}.count()) == 1);
    BOOST_TEST(
        hears([&](const LinkEvent& e) { return usb0(e, Kind::link_changed) && e.link.carrier; }));
    run("ip link set usb1 down");
    BOOST_TEST(hears([&](const LinkEvent& e) {
      return usb0(e, Kind::link_changed) && e.link.up && !e.link.carrier;
    }));
  }
  BOOST_TEST(hears([&](const LinkEvent& e) { return usb0(e, Kind::link_removed); }));
}

BOOST_AUTO_TEST_CASE(hears_of_addresses_and_routes) {
  const VethPair veth{"usb0", "usb1"};
  Netlink netlink;
  const int index = netlink.find_link("usb0")->index;
  LinkMonitor monitor;
  const auto is = [&](Kind kind) {
    return [=](const LinkEvent& event) {
      return event.kind == kind && event.address.index == index &&
             event.address.address.str() == "10.0.0.2/24";
    };
  };
  const auto default_route = [](const LinkEvent& event) {
    return event.kind == Kind::route_changed && event.default_route && event.table == 254;
  };
  run("ip addr add 10.0.0.2/24 dev usb0");
  auto events = read_all(monitor);
  BOOST_TEST(any(events, is(Kind::address_added)));
  BOOST_TEST(!any(events, default_route));
  run("ip route add default via 10.0.0.1");
  BOOST_TEST(any(read_all(monitor), default_route));
  run("ip route del default");
  BOOST_TEST(any(read_all(monitor), default_route));
  run("ip route add 10.9.0.0/16 via 10.0.0.1 table 1000");
  BOOST_TEST(any(read_all(monitor), [](const LinkEvent& event) {
    return event.table == 1000 && !event.default_route;
  }));
  run("ip route flush table 1000 && ip addr del 10.0.0.2/24 dev usb0");
  BOOST_TEST(any(read_all(monitor), is(Kind::address_removed)));
}

BOOST_AUTO_TEST_CASE(a_port_that_leaves_a_bridge_is_no_link_removed) {
  const VethPair veth{"usb0", "usb1"};
  if (!succeeds("ip link add br0 type bridge")) return;  // a kernel without bridges
  LinkMonitor monitor;
  run("ip link set usb0 master br0 && ip link set usb0 nomaster");
  BOOST_TEST(!any(read_all(monitor),
                  [](const LinkEvent& event) { return event.kind == Kind::link_removed; }));
  run("ip link del br0");
}

BOOST_AUTO_TEST_CASE(lost_events_ask_for_a_resync) {
  const VethPair veth{"usb0", "usb1"};
  LinkMonitor monitor;
  run("for i in $(seq 0 39); do for j in $(seq 1 250); do echo addr add 10.8.$i.$j/32 dev usb0; "
      "done; done | ip -batch -");
  std::size_t most = 0;
  bool resync = false;
  for (;;) {
    const auto events = monitor.read_events();
    if (events.empty()) break;
    most = std::max(most, events.size());
    resync =
        resync || any(events, [](const LinkEvent& event) { return event.kind == Kind::resync; });
  }
  BOOST_TEST(resync);
  BOOST_TEST(most <= LinkMonitor::datagrams_max);
  run("ip link set usb1 down");
  BOOST_TEST(!read_all(monitor).empty());  // it goes on working
}

BOOST_AUTO_TEST_SUITE_END()
