#include "netd_support.hpp"
#include "netd_wire.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace netd_test;

/// A device with one LAN, which is its uplink, and netd.
struct Device {
  explicit Device(const std::string& role, const std::string& config = "") {
    cable(host, "eth0", lan, "eth0");
    host.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
    if (role == "master") cable(host, "usb0", laptop, "lap0");
    untouched = host.snapshot();
    daemon = std::make_unique<Daemon>(host, bus, folder, config);
    client = std::make_unique<Client>(bus);
    client->SetRole(role);
    if (role == "master") client->wait_added();
    idle = host.snapshot();
  }

  bool has_link(const std::string& name) { return host.run("ip link show " + name).code == 0; }

  Host host, lan, laptop;
  Folder folder;
  Bus bus;
  std::string untouched;  ///< before netd
  std::string idle;       ///< with netd, without a session
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<Client> client;
};

const Allow whole_lan{{"192.168.1.0/24", 0, 0, 0}};

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(a_masters_session_leaves_nothing) {
  Device master{"master"};
  for (int i = 0; i < 3; ++i) {
    const auto [tun, link] = master.client->OpenSession(7, master_setup({"192.168.1.53"}));
    BOOST_TEST(link == "rdv0");
    BOOST_TEST(tun.isValid());
    BOOST_TEST(master.host.must("ip -4 -o addr show dev rdv0").find("192.168.200.6/30") !=
               std::string::npos);
    BOOST_TEST(master.host.must("ip route show table 1").find("default dev rdv0") == 0);
    master.client->CloseSession(7);
    BOOST_TEST(master.host.is_again(master.idle));
  }
  BOOST_TEST(master.daemon->stop() == 0);
  BOOST_TEST(master.host.is_again(master.untouched));
}

BOOST_AUTO_TEST_CASE(an_onsites_session_leaves_nothing) {
  Device onsite{"onsite"};
  for (int i = 0; i < 3; ++i) {
    const auto [tun, link] = onsite.client->OpenSession(7, onsite_setup(whole_lan));
    BOOST_TEST(link == "rdv0");
    BOOST_TEST(onsite.host.must("ip -4 -o addr show dev rdv0").find("192.168.200.5/30") !=
               std::string::npos);
    BOOST_TEST(onsite.host.must("cat /proc/sys/net/ipv4/conf/eth0/forwarding") == "1\n");
    onsite.client->CloseSession(7);
    BOOST_TEST(onsite.host.is_again(onsite.idle));
  }
  BOOST_TEST(onsite.daemon->stop() == 0);
  BOOST_TEST(onsite.host.is_again(onsite.untouched));
}

BOOST_AUTO_TEST_CASE(the_tunnel_is_as_the_agent_expects_it) {
  Device onsite{"onsite"};
  const auto opened = onsite.client->OpenSession(7, onsite_setup(whole_lan));
  const int tun = std::get<0>(opened).get();
  BOOST_TEST((::fcntl(tun, F_GETFL) & O_NONBLOCK) != 0);
  char byte = 0;
  BOOST_TEST(::read(tun, &byte, 1) == -1);
  BOOST_TEST(errno == EAGAIN);
  BOOST_TEST(onsite.host.must("ip -o link show rdv0").find("mtu 1500") != std::string::npos);
  const auto details = onsite.host.must("ip -d link show rdv0");
  BOOST_TEST(details.find("tun type tun pi off vnet_hdr on persist off") != std::string::npos,
             details);
}

BOOST_AUTO_TEST_CASE(there_is_one_session_at_a_time) {
  Device onsite{"onsite"};
  onsite.client->OpenSession(0xabc, onsite_setup(whole_lan));
  try {
    onsite.client->OpenSession(0xdef, onsite_setup(whole_lan));
    BOOST_ERROR("a second session was opened");
  } catch (const sdbus::Error& error) {
    BOOST_TEST(error.getName() == "org.rdv.Error.Busy");
    BOOST_TEST(error.getMessage().find("0000000000000abc") != std::string::npos);
  }
  onsite.client->CloseSession(0xdef);  // of a session that is not there
  BOOST_TEST(onsite.has_link("rdv0"));
  onsite.client->CloseSession(0xabc);
  onsite.client->OpenSession(0xdef, onsite_setup(whole_lan));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_with_its_reason_and_changes_nothing) {
  Device onsite{"onsite"};
  const auto refusal = [&](Setup setup) {
    return error_of([&] { onsite.client->OpenSession(7, setup); });
  };
  BOOST_TEST(refusal(master_setup()) == "org.rdv.Error.WrongRole");
  BOOST_TEST(refusal({}) == "org.rdv.Error.InvalidArgument");
  auto setup = onsite_setup(whole_lan);
  setup["tunnel"] = std::string{"192.168.200.4/24"};
  BOOST_TEST(refusal(setup) == "org.rdv.Error.InvalidArgument");
  setup = onsite_setup(whole_lan);
  setup["allow"] = std::vector<std::string>{"192.168.1.0/24"};
  BOOST_TEST(refusal(setup) == "org.rdv.Error.InvalidArgument");
  setup = onsite_setup(whole_lan);
  setup["surprise"] = true;
  BOOST_TEST(refusal(setup) == "org.rdv.Error.InvalidArgument");
  setup = onsite_setup(whole_lan);
  setup["interface"] = std::string{"eth7"};
  BOOST_TEST(refusal(setup) == "org.rdv.Error.NoInterface");
  onsite.host.must("ip route del default");
  BOOST_TEST(refusal(onsite_setup(whole_lan)) == "org.rdv.Error.NoInterface");
  onsite.host.must("ip route add default via 192.168.1.1");
  BOOST_TEST(onsite.host.is_again(onsite.idle));
}

BOOST_AUTO_TEST_CASE(what_the_kernel_refuses_is_said_and_undone) {
  Device onsite{"onsite"};
  // Somebody else's table of our name: the last step fails.
  onsite.host.must("nft add table ip rdv_session");
  const auto before = onsite.host.snapshot();
  BOOST_TEST(error_of([&] { onsite.client->OpenSession(7, onsite_setup(whole_lan)); }) ==
             "org.rdv.Error.Kernel");
  BOOST_TEST(onsite.host.is_again(before));
  onsite.host.must("nft delete table ip rdv_session");
  onsite.client->OpenSession(7, onsite_setup(whole_lan));
}

BOOST_AUTO_TEST_CASE(a_master_without_a_laptop_opens_no_session) {
  Device master{"master"};
  master.host.must("ip link del usb0");
  master.client->wait_removed();
  BOOST_TEST(error_of([&] { master.client->OpenSession(7, master_setup()); }) ==
             "org.rdv.Error.NoInterface");
}

BOOST_AUTO_TEST_CASE(unplugging_the_laptop_undoes_the_session_at_once) {
  Device master{"master"};
  const auto opened = master.client->OpenSession(7, master_setup());
  master.host.must("ip link del usb0");
  BOOST_TEST(master.client->wait_removed().reason == "unplugged");
  BOOST_TEST(std::get<0>(master.client->GetInterface()) == "");  // answered when all is undone
  BOOST_TEST(!master.has_link("rdv0"));
  BOOST_TEST(master.host.run("ip route show table 1").text == "");
  BOOST_TEST(master.host.run("nft list ruleset").text.find("rdv_session") == std::string::npos);
  master.client->CloseSession(7);  // the agent tidies up: no error
}

BOOST_AUTO_TEST_CASE(an_agent_that_leaves_the_bus_loses_its_session_but_the_laptop_keeps_its_port) {
  Device master{"master"};
  auto agent = std::make_unique<Client>(master.bus);
  const auto opened = agent->OpenSession(7, master_setup());
  BOOST_TEST(master.has_link("rdv0"));
  agent.reset();  // the descriptor in `opened` is still open
  BOOST_TEST(until([&] { return !master.has_link("rdv0"); }));
  BOOST_TEST(master.host.is_again(master.idle));
  BOOST_TEST(std::get<0>(master.client->GetInterface()) == "usb0");
}

BOOST_AUTO_TEST_CASE(another_client_coming_and_going_changes_nothing) {
  Device master{"master"};
  const auto opened = master.client->OpenSession(7, master_setup());
  {
    Client other{master.bus};
    other.GetUplink();
  }
  std::this_thread::sleep_for(100ms);
  BOOST_TEST(master.has_link("rdv0"));
}

BOOST_AUTO_TEST_CASE(the_bus_lets_only_the_agent_and_root_call) {
  Device onsite{"onsite"};
  const auto call = [&](const std::string& user) {
    return onsite.host
        .run("setpriv --reuid=" + user + " --regid=nogroup --clear-groups busctl --address='" +
             onsite.bus.address() + "' call org.rdv.Netd1 /org/rdv/Netd1 org.rdv.Netd1 GetUplink")
        .code;
  };
  BOOST_TEST(call("daemon") == 0);
  BOOST_TEST(call("bin") != 0);
}

BOOST_AUTO_TEST_CASE(
    a_session_follows_the_lan_port_when_it_gets_another_address_or_is_plugged_in_anew) {
  Device onsite{"onsite", "[onsite]\ninterface = \"eth0\""};
  const auto opened = onsite.client->OpenSession(7, onsite_setup({{"192.168.0.0/16", 0, 0, 0}}));
  onsite.host.must("ip addr add 192.168.7.7/24 dev eth0");
  BOOST_TEST(until([&] {
    return onsite.host.must("nft list ruleset").find("192.168.7.7") != std::string::npos;
  }));
  onsite.host.must("ip link del eth0");
  cable(onsite.host, "eth0", onsite.lan, "eth0");
  BOOST_TEST(until(
      [&] { return onsite.host.must("cat /proc/sys/net/ipv4/conf/eth0/forwarding") == "1\n"; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
