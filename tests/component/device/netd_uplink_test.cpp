#include "netd_support.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <signal.h>

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

/// An onsite with eth0 and wwan0, each with a default route of its own; the server is 203.0.113.10.
struct TwoUplinks : Machine {
  TwoUplinks() {
    cable(host, "wwan0", lan, "mobile0");
    host.must("ip addr add 10.64.0.2/24 dev wwan0");
    host.must("ip route add default via 192.168.1.1 metric 100");
    host.must("ip route add default via 10.64.0.1 metric 700");
  }
  /// Which way this machine's own packets go to the server.
  std::string way(const std::string& from = "") const {
    return host.run("ip route get 203.0.113.10" + (from.empty() ? "" : " from " + from)).text;
  }
  bool goes_by(const std::string& link, const std::string& from = "") const {
    return until([&] { return way(from).find("dev " + link) != std::string::npos; });
  }
};

constexpr auto both = "[uplink]\ndevices = [\"eth\", \"wwan\"]\nreturn_after = 5";

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

BOOST_AUTO_TEST_CASE(the_server_is_routed_by_the_uplink_that_works_and_nothing_else_is) {
  TwoUplinks machine;
  const auto before = machine.host.snapshot();
  const auto main_table = machine.host.must("ip route show table main");
  {
    Daemon daemon{machine.host, machine.bus, machine.folder, both};
    Client client{machine.bus};
    client.SetServers({"203.0.113.10"});
    BOOST_TEST(machine.goes_by("eth0"));
    BOOST_TEST(machine.goes_by("wwan0", "10.64.0.2"));  // what began there goes on there
    machine.lan.must("ip link set eth0 down");
    BOOST_TEST(machine.goes_by("wwan0"));
    BOOST_REQUIRE(client.wait_uplink_changed());
    BOOST_TEST(text(client.GetUplink(), "interface") == "wwan0");
    BOOST_TEST(text(client.GetUplink(), "kind") == "wwan");
    BOOST_TEST(text(client.GetUplink(), "lan_interface") == "eth0");  // without a cable, it is that
    machine.lan.must("ip link set eth0 up");
    BOOST_TEST(machine.goes_by("eth0", "192.168.1.10"));
    BOOST_TEST(machine.goes_by("wwan0"));  // eth0 has to prove itself first
    BOOST_TEST(machine.host.must("ip route show table main") == main_table);
  }
  BOOST_TEST(machine.host.is_again(before));
}

BOOST_AUTO_TEST_CASE(a_fixed_uplink_is_the_only_one_until_it_is_given_back) {
  TwoUplinks machine;
  const auto before = machine.host.snapshot();
  {
    Daemon daemon{machine.host, machine.bus, machine.folder};
    Client client{machine.bus};
    client.SetServers({"203.0.113.10"});
    BOOST_TEST(line_changes(before, machine.host.snapshot()).find("203.0.113.10") ==
               std::string::npos);  // nothing is chosen yet
    client.FixUplink("wwan0");
    BOOST_TEST(machine.goes_by("wwan0"));
    auto uplink = client.GetUplink();
    BOOST_TEST(text(uplink, "interface") == "wwan0");
    BOOST_TEST(uplink.at("fixed").get<bool>());
    machine.lan.must("ip link set mobile0 down");
    BOOST_TEST(until([&] { return machine.way().find("No route to host") != std::string::npos; }));
    client.FixUplink("");
    BOOST_TEST(machine.goes_by("eth0"));
    uplink = client.GetUplink();
    BOOST_TEST(text(uplink, "interface") == "eth0");
    BOOST_TEST(!uplink.at("fixed").get<bool>());
    BOOST_CHECK_EXCEPTION(client.FixUplink("wwan9"), sdbus::Error, [](const sdbus::Error& error) {
      return error.getName() == "org.rdv.Error.NotFound" &&
             error.getMessage() == "there is no interface wwan9; there are: eth0, wwan0";
    });
    machine.lan.must("ip link set mobile0 up");
  }
  BOOST_TEST(machine.host.is_again(before));
}

BOOST_AUTO_TEST_CASE(an_uplink_without_its_address_is_left_and_taken_again_when_it_answers) {
  TwoUplinks machine;
  Daemon daemon{machine.host, machine.bus, machine.folder, both};
  Client client{machine.bus};
  client.SetServers({"203.0.113.10"});
  machine.host.must("ip addr flush dev eth0");
  BOOST_TEST(until([&] { return text(client.GetUplink(), "interface") == "wwan0"; }));
  machine.host.must(
      "ip addr add 192.168.1.11/24 dev eth0 && "
      "ip route add default via 192.168.1.1 metric 100");
  BOOST_TEST(machine.goes_by("eth0", "192.168.1.11"));
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(until(
      [&] {
        client.ReportUplink("eth0", true);
        return machine.way().find("dev eth0") != std::string::npos;
      },
      20s));
  BOOST_TEST((std::chrono::steady_clock::now() - began >= 5s));
}

BOOST_AUTO_TEST_CASE(a_silent_server_moves_the_way_only_to_where_it_answers) {
  TwoUplinks machine;
  Daemon daemon{machine.host, machine.bus, machine.folder, both};
  Client client{machine.bus};
  client.SetServers({"203.0.113.10"});
  client.ReportUplink("eth0", false);
  BOOST_TEST(machine.way().find("dev eth0") != std::string::npos);
  client.ReportUplink("wwan0", true);
  BOOST_TEST(machine.way().find("dev wwan0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_is_changed_twice_and_nothing_foreign_at_all) {
  TwoUplinks machine;
  machine.host.must(
      "ip rule add iif lo lookup 5240 priority 48 && "
      "ip route add 203.0.113.99/32 dev eth0 table 5240 && "
      "ip link add br-foreign type bridge");
  const auto before = machine.host.snapshot();
  {
    Daemon daemon{machine.host, machine.bus, machine.folder, both};
    Client client{machine.bus};
    client.SetServers({"203.0.113.10", "203.0.113.11"});
    const auto made = machine.host.snapshot();
    BOOST_TEST(made != before);
    const auto log = machine.folder / "monitor";
    const auto monitor = machine.host.start({"sh", "-c", "exec ip -4 monitor route rule >" + log});
    // Until the monitor listens, make it hear of something; then of nothing.
    BOOST_REQUIRE(until([&] {
      machine.host.must("ip route add 192.0.2.1/32 dev eth0 && ip route del 192.0.2.1/32 dev eth0");
      return machine.host.run("grep -q 192.0.2.1 " + log).code == 0;
    }));
    for (int i = 0; i < 3; ++i)
      client.SetServers({"203.0.113.11", "203.0.113.10"});
    machine.host.must(
        "ip addr add 192.168.1.77/24 dev eth0 && ip addr del 192.168.1.77/24 dev eth0");
    client.GetUplink();
    BOOST_TEST(machine.host.run("grep -E '203.0.113|52[0-9]{2}' " + log).text == "");
    end_process(monitor, SIGKILL);
    BOOST_TEST(machine.host.is_again(made));
  }
  BOOST_TEST(machine.host.is_again(before));
}

BOOST_AUTO_TEST_CASE(a_fixed_uplink_is_the_only_one) {
  TwoUplinks machine;
  const auto before = machine.host.snapshot();
  {
    Daemon daemon{machine.host, machine.bus, machine.folder, "[uplink]\ndevice = \"wwan0\""};
    Client client{machine.bus};
    client.SetServers({"203.0.113.10"});
    BOOST_TEST(machine.goes_by("wwan0"));
    machine.lan.must("ip link set mobile0 down");
    BOOST_TEST(until([&] { return machine.way().find("No route to host") != std::string::npos; }));
    machine.lan.must("ip link set mobile0 up");
    BOOST_TEST(machine.goes_by("wwan0"));
  }
  BOOST_TEST(machine.host.is_again(before));
}

BOOST_AUTO_TEST_CASE(without_a_configured_uplink_the_kernels_routes_are_left_alone) {
  TwoUplinks machine;
  Daemon daemon{machine.host, machine.bus, machine.folder};
  Client client{machine.bus};
  const auto before = machine.host.snapshot();
  client.SetServers({"203.0.113.10"});
  client.ReportUplink("eth0", false);
  BOOST_TEST(machine.host.is_again(before));
}

BOOST_AUTO_TEST_CASE(a_killed_netds_routes_are_swept) {
  TwoUplinks machine;
  {
    Daemon daemon{machine.host, machine.bus, machine.folder, both};
    Client client{machine.bus};
    client.SetServers({"203.0.113.10"});
    BOOST_TEST(machine.goes_by("wwan0", "10.64.0.2"));
    daemon.kill();
  }
  const auto has_rules = [&] {
    return machine.host.must("ip rule").find("iif lo lookup 52") != std::string::npos;
  };
  BOOST_TEST(has_rules());
  Daemon again{machine.host, machine.bus, machine.folder};
  BOOST_TEST(until([&] { return !has_rules(); }));
}

BOOST_AUTO_TEST_CASE(what_is_no_server_is_refused) {
  TwoUplinks machine;
  Daemon daemon{machine.host, machine.bus, machine.folder, both};
  Client client{machine.bus};
  const auto refusal = [&](const std::vector<std::string>& servers) {
    return error_of([&] { client.SetServers(servers); });
  };
  for (const char* bad : {"", "rdv.example.com", "127.0.0.1", "224.0.0.1", "0.0.0.0", "::1"})
    BOOST_TEST(refusal({bad}) == "org.rdv.Error.InvalidArgument", bad);
  BOOST_TEST(refusal(std::vector<std::string>(17, "203.0.113.10")) ==
             "org.rdv.Error.InvalidArgument");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
