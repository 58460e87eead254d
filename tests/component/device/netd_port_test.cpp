#include "netd_support.hpp"
#include "netd_wire.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

namespace {

using namespace netd_test;

/// A master with its own LAN, and a laptop that is not plugged in yet.
struct Desk {
  Desk() {
    cable(master, "eth0", office, "eth0");
    master.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
    office.must("ip addr add 192.168.1.1/24 dev eth0");
  }

  /// What GetPorts says of this port: "laptop", why it is not the laptop's, or "" when it is not
  /// named.
  static std::string judged(Client& client, const std::string& name) {
    for (const auto& port : client.GetPorts()) {
      if (port.at("name").get<std::string>() != name) continue;
      const auto reason = port.at("reason").get<std::string>();
      BOOST_TEST(port.at("remedy").get<std::string>().empty() == reason.empty());
      return port.at("laptop").get<bool>() ? "laptop" : reason;
    }
    return "";
  }

  void plug(const std::string& port = "usb0", const std::string& link = "lap0") {
    cable(master, port, laptop, link);
  }

  Host master, office, laptop;
  Folder folder;
  Bus bus;
};

/// The same with netd running as a master's.
struct MasterDesk : Desk {
  explicit MasterDesk(const std::string& config = "")
      : daemon{master, bus, folder, config}, client{bus} {
    client.SetRole("master");
  }
  std::string port() { return std::get<0>(client.GetInterface()); }

  std::string before = master.snapshot();
  Daemon daemon;
  Client client;
};

BOOST_AUTO_TEST_SUITE(port)

BOOST_AUTO_TEST_CASE(a_laptop_that_is_plugged_in_gets_its_address) {
  MasterDesk desk;
  BOOST_TEST(desk.port() == "");
  desk.plug();
  BOOST_TEST(desk.client.wait_added() == "usb0");
  const auto [name, mac, address, carrier] = desk.client.GetInterface();
  BOOST_TEST(name == "usb0");
  BOOST_TEST(mac == desk.master.must(
                        "cat /sys/class/net/usb0/address 2>/dev/null || ip -o link show usb0 | "
                        "sed 's/.*ether \\([0-9a-f:]*\\).*/\\1/' | tr -d '\\n'"));
  BOOST_TEST(address == "192.168.38.225/29");
  BOOST_TEST(carrier);
  BOOST_TEST(get_lease(desk.laptop, "lap0", desk.folder));
  BOOST_TEST(ping_says(desk.laptop, "192.168.38.225", "answer"));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_there_at_the_start_is_taken) {
  Desk desk;
  desk.plug();
  Daemon daemon{desk.master, desk.bus, desk.folder};
  Client client{desk.bus};
  client.SetRole("master");
  BOOST_TEST(client.wait_added() == "usb0");
}

BOOST_AUTO_TEST_CASE(only_a_masters_netd_touches_a_port) {
  Desk desk;
  desk.plug();
  const auto before = desk.master.snapshot();
  Daemon daemon{desk.master, desk.bus, desk.folder};
  Client client{desk.bus};
  const auto guarded = desk.master.snapshot();
  for (const char* role : {"onsite", ""}) {
    client.SetRole(role);
    BOOST_TEST(desk.master.is_again(guarded));
  }
  client.SetRole("master");
  client.wait_added();
  client.SetRole("onsite");
  BOOST_TEST(desk.master.is_again(guarded));
  BOOST_TEST(error_of([&] { client.SetRole("admin"); }) == "org.rdv.Error.InvalidArgument");
  BOOST_TEST(daemon.stop() == 0);
  BOOST_TEST(desk.master.is_again(before));
}

BOOST_AUTO_TEST_CASE(an_unplugged_port_leaves_nothing) {
  MasterDesk desk;
  const auto without = desk.master.snapshot();
  desk.plug();
  desk.client.wait_added();
  BOOST_TEST(desk.master.snapshot() != without);
  desk.master.must("ip link del usb0");
  const auto removed = desk.client.wait_removed();
  BOOST_TEST(removed.name == "usb0");
  BOOST_TEST(removed.reason == "unplugged");
  BOOST_TEST(desk.port() == "");
  BOOST_TEST(desk.master.is_again(without));
}

BOOST_AUTO_TEST_CASE(a_lost_carrier_takes_the_port_down_until_it_is_back) {
  MasterDesk desk;
  desk.plug();
  desk.client.wait_added();
  desk.laptop.must("ip link set lap0 down");
  BOOST_TEST(desk.client.wait_removed().reason == "carrier lost");
  BOOST_TEST(desk.port() == "");
  BOOST_TEST(desk.master.run("ip -4 -o addr show dev usb0").text == "");
  BOOST_TEST(desk.master.processes("dnsmasq").empty());
  desk.laptop.must("ip link set lap0 up");
  BOOST_TEST(desk.client.wait_added() == "usb0");
  BOOST_TEST(get_lease(desk.laptop, "lap0", desk.folder));
}

BOOST_AUTO_TEST_CASE(a_second_adapter_takes_over_when_the_first_goes) {
  MasterDesk desk;
  desk.plug("usb0", "lap0");
  BOOST_TEST(desk.client.wait_added() == "usb0");
  desk.plug("usb1", "lap1");
  desk.master.must("ip link del usb0");
  BOOST_TEST(desk.client.wait_removed().name == "usb0");
  BOOST_TEST(desk.client.wait_added() == "usb1");
  BOOST_TEST(get_lease(desk.laptop, "lap1", desk.folder));
}

BOOST_AUTO_TEST_CASE(without_an_uplink_none_of_two_adapters_is_taken_until_it_is_known_which) {
  Desk desk;
  desk.master.must("ip route del default");
  desk.plug("usb0", "lap0");  // the first one will turn out to be the uplink
  desk.plug("usb1", "lap1");
  Daemon daemon{desk.master, desk.bus, desk.folder};
  Client client{desk.bus};
  client.SetRole("master");
  BOOST_TEST(std::get<0>(client.GetInterface()) == "");
  for (const char* port : {"usb0", "usb1"})
    BOOST_TEST(Desk::judged(client, port).starts_with("there is no default route yet"), port);
  desk.master.must("ip addr add 10.7.0.2/24 dev usb0 && ip route add default via 10.7.0.1");
  BOOST_TEST(client.wait_added() == "usb1", "the first that was ever taken");
  BOOST_TEST(Desk::judged(client, "usb1") == "laptop");
  BOOST_TEST(Desk::judged(client, "usb0") == "it is a way to the Internet");
  BOOST_TEST(Desk::judged(client, "eth0") == "eth0 is the built-in port");
  BOOST_TEST(Desk::judged(client, "lo") == "");
  desk.master.must("ip route del default && ip addr flush dev usb0");
  BOOST_TEST(get_lease(desk.laptop, "lap1", desk.folder), "it stays when the uplink fails");
  BOOST_TEST(std::get<0>(client.GetInterface()) == "usb1");
}

BOOST_AUTO_TEST_CASE(without_a_session_the_laptop_is_told_that_there_is_no_way) {
  MasterDesk desk;
  desk.plug();
  desk.client.wait_added();
  BOOST_REQUIRE(get_lease(desk.laptop, "lap0", desk.folder));
  Ear ear{desk.office, "eth0"};
  // Also to one that does not give up: one packet per second, each with its answer.
  const auto pings = desk.laptop.run("ping -n -c8 -i1 -W1 8.8.8.8").text;
  BOOST_TEST(pings.find("+8 errors") != std::string::npos, pings);
  for (const char* address : {"192.168.1.1", "192.168.1.10", "10.0.0.1"})
    BOOST_TEST(ping_says(desk.laptop, address, "unreachable"), address);
  BOOST_TEST(tcp_says(desk.laptop, "192.168.1.1", 80, "prohibited"));
  BOOST_TEST(ear.heard("192.168.38.224/29") == 0);
  const auto dns = desk.laptop.run("dig +tries=1 +time=2 @192.168.38.225 camera.example");
  BOOST_TEST(dns.text.find("REFUSED") != std::string::npos, dns.text);
}

BOOST_AUTO_TEST_CASE(a_dnsmasq_that_dies_is_started_again) {
  MasterDesk desk;
  desk.plug();
  desk.client.wait_added();
  const auto first = desk.master.processes("dnsmasq");
  BOOST_REQUIRE(first.size() == 1);
  ::kill(first.front(), SIGKILL);
  BOOST_TEST(until([&] {
    const auto now = desk.master.processes("dnsmasq");
    return now.size() == 1 && now != first;
  }));
  BOOST_TEST(get_lease(desk.laptop, "lap0", desk.folder));
}

BOOST_AUTO_TEST_CASE(an_interface_that_somebody_else_has_configured_is_left_alone) {
  Desk desk;
  desk.plug("usb0", "lap0");
  desk.master.must("ip addr add 10.1.1.1/24 dev usb0");
  desk.plug("usb1", "lap1");
  Daemon daemon{desk.master, desk.bus, desk.folder};
  Client client{desk.bus};
  client.SetRole("master");
  BOOST_TEST(client.wait_added() == "usb1");
}

BOOST_AUTO_TEST_CASE(the_configuration_may_name_the_port_and_its_address) {
  MasterDesk desk{"[master]\nmatch = \"lan*\"\naddress = \"10.99.0.1/30\""};
  desk.plug("usb0", "lap0");
  desk.plug("lan7", "lap1");
  BOOST_TEST(desk.client.wait_added() == "lan7");
  BOOST_TEST(std::get<2>(desk.client.GetInterface()) == "10.99.0.1/30");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
