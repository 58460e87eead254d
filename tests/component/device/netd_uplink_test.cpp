#include "netd_support.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

namespace {

using namespace netd_test;

struct Machine {
  Machine() {
    cable(host, "eth0", lan, "eth0");
    host.must("ip addr add 192.168.1.10/24 dev eth0");
    write_resolv_conf("nameserver 192.168.1.1\n");
  }
  void write_resolv_conf(const std::string& text) { std::ofstream{folder / "resolv.conf"} << text; }

  Host host, lan;
  Folder folder;
  Bus bus;
};

std::string text(const Setup& uplink, const char* key) {
  const auto found = uplink.find(key);
  return found == uplink.end() ? "" : found->second.get<std::string>();
}

BOOST_AUTO_TEST_SUITE(uplink)

BOOST_AUTO_TEST_CASE(the_uplink_is_told_as_it_is_and_when_it_changes) {
  Machine machine;
  Daemon daemon{machine.host, machine.bus, machine.folder};
  Client client{machine.bus};
  BOOST_TEST(text(client.GetUplink(), "interface").empty());

  machine.host.must("ip route add default via 192.168.1.1");
  BOOST_REQUIRE(client.wait_uplink_changed());
  auto uplink = client.GetUplink();
  BOOST_TEST(text(uplink, "interface") == "eth0");
  BOOST_TEST(text(uplink, "kind") == "lan");
  BOOST_TEST(text(uplink, "address") == "192.168.1.10/24");
  BOOST_TEST(text(uplink, "gateway") == "192.168.1.1");
  BOOST_TEST(text(uplink, "lan_interface") == "eth0");
  BOOST_TEST(text(uplink, "lan_address") == "192.168.1.10/24");
  BOOST_TEST(uplink.at("dns").get<std::vector<std::string>>() ==
             std::vector<std::string>{"192.168.1.1"});

  machine.host.must("ip addr flush dev eth0 && ip addr add 192.168.1.11/24 dev eth0");
  BOOST_REQUIRE(client.wait_uplink_changed());
  // The route went with the address; nothing is told twice of what is the same.
  machine.host.must("ip route replace default via 192.168.1.1");
  BOOST_TEST(until([&] { return text(client.GetUplink(), "address") == "192.168.1.11/24"; }));
}

BOOST_AUTO_TEST_CASE(another_dns_server_is_told) {
  Machine machine;
  machine.host.must("ip route add default via 192.168.1.1");
  Daemon daemon{machine.host, machine.bus, machine.folder};
  Client client{machine.bus};
  client.GetUplink();  // netd has read the first one
  machine.write_resolv_conf("nameserver 10.0.0.53\n");
  BOOST_REQUIRE(client.wait_uplink_changed());
  BOOST_TEST(client.GetUplink().at("dns").get<std::vector<std::string>>() ==
             std::vector<std::string>{"10.0.0.53"});
}

BOOST_AUTO_TEST_CASE(a_configured_lan_port_is_told_beside_the_uplink) {
  Machine machine;
  machine.host.must("ip route add default via 192.168.1.1");
  cable(machine.host, "eth1", machine.lan, "eth1");
  machine.host.must("ip addr add 10.3.3.3/24 dev eth1");
  Daemon daemon{machine.host, machine.bus, machine.folder, "[onsite]\ninterface = \"eth1\""};
  Client client{machine.bus};
  const auto uplink = client.GetUplink();
  BOOST_TEST(text(uplink, "interface") == "eth0");
  BOOST_TEST(text(uplink, "lan_interface") == "eth1");
  BOOST_TEST(text(uplink, "lan_address") == "10.3.3.3/24");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
