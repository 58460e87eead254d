#include "netd_support.hpp"
#include "netd_wire.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

namespace {

using namespace netd_test;

constexpr auto hold_variable = "NETD_TEST_HOLD_SESSION";

/// This program again, as an agent that opens a session and holds it: what gets killed.
const bool holding = [] {
  if (const char* address = ::getenv(hold_variable)) hold_session(address, master_setup());
  return false;
}();

struct Master {
  Master() {
    cable(host, "eth0", lan, "eth0");
    host.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
    cable(host, "usb0", laptop, "lap0");
    untouched = host.snapshot();
    start();
  }

  void start() {
    daemon.emplace(host, bus, folder);
    client.emplace(bus);
    client->SetRole("master");
    client->wait_added();
  }
  /// An agent of its own process, with a session open.
  pid_t start_agent() {
    const pid_t agent =
        host.start({"/proc/self/exe"}, {std::string{hold_variable} + "=" + bus.address()});
    BOOST_REQUIRE(until([&] { return has_link("rdv0"); }));
    return agent;
  }
  bool has_link(const std::string& name) { return host.run("ip link show " + name).code == 0; }

  Host host, lan, laptop;
  Folder folder;
  Bus bus;
  std::string untouched;
  std::optional<Daemon> daemon;
  std::optional<Client> client;
};

BOOST_AUTO_TEST_SUITE(crash)

BOOST_AUTO_TEST_CASE(an_agent_killed_with_9_leaves_no_session) {
  Master master;
  const auto idle = master.host.snapshot();
  const pid_t agent = master.start_agent();
  end_process(agent, SIGKILL);
  BOOST_TEST(until([&] { return !master.has_link("rdv0"); }));
  BOOST_TEST(master.host.is_again(idle));
}

BOOST_AUTO_TEST_CASE(netd_killed_with_9_leaves_no_process_and_the_guard_stands) {
  Master master;
  const auto opened = master.client->OpenSession(7, master_setup());
  BOOST_REQUIRE(get_lease(master.laptop, "lap0", master.folder));
  Ear lan{master.lan, "eth0"};
  master.daemon->kill();
  BOOST_TEST(until([&] { return master.host.processes("dnsmasq").empty(); }));
  const auto rules = master.host.must("nft list ruleset");
  BOOST_TEST(rules.find("rdv_guard") != std::string::npos);
  BOOST_TEST(rules.find("rdv_session") == std::string::npos);
  for (const char* address : {"192.168.1.1", "8.8.8.8"})
    BOOST_TEST(ping(master.laptop, address) != "answer");
  BOOST_TEST(lan.heard("192.168.38.224/29") == 0);
}

BOOST_AUTO_TEST_CASE(a_netd_that_starts_after_a_kill_sweeps_and_serves_again) {
  Master master;
  const auto idle = master.host.snapshot();
  const auto opened =
      master.client->OpenSession(7, master_setup());  // the agent holds its descriptor on
  master.daemon->kill();
  master.start();
  BOOST_TEST(get_lease(master.laptop, "lap0", master.folder));
  BOOST_TEST(ping(master.laptop, "8.8.8.8") == "silence");  // its session may be adopted yet
  master.client->OpenSession(8, master_setup());
  BOOST_TEST(!master.has_link("rdv1"));  // the old tunnel has gone
  master.client->CloseSession(8);
  BOOST_TEST(master.daemon->stop() == 0);
  BOOST_TEST(master.host.is_again(master.untouched));
}

BOOST_AUTO_TEST_CASE(an_onsites_netd_that_starts_after_a_kill_leaves_nothing) {
  Host host, lan;
  cable(host, "eth0", lan, "eth0");
  host.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
  const auto untouched = host.snapshot();
  const Folder folder;
  Bus bus;
  Client client{bus};
  Daemon first{host, bus, folder};
  client.SetRole("onsite");
  const auto opened = client.OpenSession(7, onsite_setup({{"192.168.1.0/24", 0, 0, 0}}));
  first.kill();
  Daemon second{host, bus, folder};
  BOOST_TEST(second.stop() == 0);
  BOOST_TEST(host.is_again(untouched));
}

BOOST_AUTO_TEST_CASE(netd_that_is_stopped_with_a_session_undoes_everything) {
  Master master;
  const auto opened = master.client->OpenSession(7, master_setup({"192.168.1.53"}));
  BOOST_TEST(master.daemon->stop() == 0);
  BOOST_TEST(master.host.is_again(master.untouched));
}

BOOST_AUTO_TEST_CASE(netd_without_a_bus_undoes_everything_and_says_so_with_its_exit_code) {
  Master master;
  const pid_t agent = master.start_agent();
  master.client.reset();
  master.bus.kill();
  BOOST_TEST(master.daemon->wait() == 1);
  BOOST_TEST(master.host.is_again(master.untouched));
  end_process(agent, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_be_used_ends_netd_with_a_sentence) {
  const Host host;
  const Folder folder;
  host.must("echo 'runtime = 1' >" + folder / "device.toml");
  const auto output = host.run(std::string{NETD_PROGRAM} + " --config " + folder / "device.toml");
  BOOST_TEST(output.code == 1);
  BOOST_TEST(output.text.find("device.toml:1: runtime: unknown key") != std::string::npos,
             output.text);
  BOOST_TEST(host.run(std::string{NETD_PROGRAM} + " --nonsense").code == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
