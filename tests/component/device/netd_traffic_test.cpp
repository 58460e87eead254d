#include "netd_site.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

namespace {

using namespace netd_test;

BOOST_AUTO_TEST_SUITE(traffic)

BOOST_AUTO_TEST_CASE(the_laptop_reaches_the_customers_lan_and_nothing_leaks) {
  Site site;
  const Service web{site.camera, Service::Kind::tcp, 80};
  const Service echo{site.camera, Service::Kind::udp, 7000};
  const Service ssh{site.onsite, Service::Kind::tcp, 22};
  Ear office{site.office, "eth0"};
  Ear customer{site.camera, "eth0"};
  site.open({{"192.168.1.0/24", 0, 0, 0}});

  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer", "-M do -s 1472"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 80, "open"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 81, "refused"));
  BOOST_TEST(udp_says(site.laptop, "192.168.1.50", 7000, "open"));
  // The onsite itself, by the address that the master has, too, and by its end of the tunnel.
  BOOST_TEST(ping_says(site.laptop, "192.168.1.10", "answer"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.10", 22, "open"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.200.5", 22, "open"));
  // The customer sees the onsite, not the tunnel nor the laptop; the master's LAN sees nothing.
  BOOST_TEST(customer.heard("192.168.200.0/24") == 0);
  BOOST_TEST(customer.heard("192.168.38.224/29") == 0);
  BOOST_TEST(office.heard("192.168.38.224/29") == 0);
  BOOST_TEST(office.heard("192.168.1.50") == 0);
}

BOOST_AUTO_TEST_CASE(the_way_shows_both_devices) {
  Site site;
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  const auto hop = [&](int ttl) {
    return site.laptop.run("ping -n -c1 -W1 -t " + std::to_string(ttl) + " 192.168.1.50").text;
  };
  BOOST_TEST(hop(1).find("From 192.168.38.225") != std::string::npos);
  BOOST_TEST(hop(2).find("From 192.168.200.5") != std::string::npos);
  BOOST_TEST(hop(3).find("64 bytes from 192.168.1.50") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(only_what_is_granted_is_reached) {
  Site site;
  const Service web{site.camera, Service::Kind::tcp, 80};
  const Service other{site.camera, Service::Kind::tcp, 81};
  const Service echo{site.camera, Service::Kind::udp, 7000};
  const Service ssh{site.onsite, Service::Kind::tcp, 22};
  site.open({{"192.168.1.50/32", 6, 80, 80}, {"192.168.1.50/32", 17, 7000, 7010}});
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 80, "open"));
  BOOST_TEST(udp_says(site.laptop, "192.168.1.50", 7000, "open"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 81, "prohibited"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.60", 80, "prohibited"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.10", 22, "prohibited"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.200.5", 22, "prohibited"));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "unreachable"));
  BOOST_TEST(
      ping_says(site.laptop, "192.168.200.5", "answer"));  // by which the master proves the path
}

BOOST_AUTO_TEST_CASE(denied_addresses_are_not_reached_though_granted) {
  Site site;
  const Service web{site.camera, Service::Kind::tcp, 80};
  Ear customer{site.camera, "eth0"};
  site.open({{"0.0.0.0/0", 0, 0, 0}}, {"192.168.1.60/32"});
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 80, "open"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.60", 80, "prohibited"));
  BOOST_TEST(ping(site.laptop, "169.254.1.1") != "answer");
  BOOST_TEST(customer.heard("192.168.1.60") == 0);
  BOOST_TEST(customer.heard("169.254.0.0/16") == 0);
}

BOOST_AUTO_TEST_CASE(the_customers_lan_begins_nothing) {
  Site site;
  const Service ssh{site.laptop, Service::Kind::tcp, 22};
  const Service master_ssh{site.master, Service::Kind::tcp, 22};
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  for (const char* address : {"192.168.38.226", "192.168.200.6", "192.168.38.225"}) {
    BOOST_TEST(reach_tcp(site.camera, address, 22) != "open", address);
    BOOST_TEST(ping(site.camera, address) != "answer", address);
  }
  // Nor does the onsite itself, which could route it.
  BOOST_TEST(ping(site.onsite, "192.168.200.6") != "answer");
  BOOST_TEST(reach_tcp(site.onsite, "192.168.200.6", 22) != "open");
}

BOOST_AUTO_TEST_CASE(the_onsite_becomes_no_router_for_the_customers_lan) {
  Site site;
  Host beyond;
  cable(site.onsite, "eth1", beyond, "eth0");
  site.onsite.must("ip addr add 10.9.9.1/24 dev eth1");
  beyond.must("ip addr add 10.9.9.2/24 dev eth0 && ip route add default via 10.9.9.1");
  site.camera.must("ip route add 10.9.9.0/24 via 192.168.1.10");
  Ear ear{beyond, "eth0"};
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  BOOST_TEST(ping(site.camera, "10.9.9.2") != "answer");
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  site.onsite_netd->kill();
  BOOST_TEST(ping(site.camera, "10.9.9.2") != "answer");
  BOOST_TEST(ear.heard("192.168.1.0/24") == 0);
}

BOOST_AUTO_TEST_CASE(names_are_asked_of_the_customer_while_the_session_runs) {
  Site site;
  const Service dns{site.camera, Service::Kind::dns, 53};
  const auto ask = [&] {
    return site.laptop.run("dig +tries=1 +time=2 @192.168.38.225 camera.example").text;
  };
  BOOST_TEST(ask().find("REFUSED") != std::string::npos);
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  std::string answer;
  BOOST_TEST(until([&] { return (answer = ask()).find("10.9.8.7") != std::string::npos; }), answer);
  site.close();
  BOOST_TEST(until([&] { return ask().find("REFUSED") != std::string::npos; }));
}

BOOST_AUTO_TEST_CASE(a_ping_that_began_before_the_session_takes_the_tunnel_and_stops_with_it) {
  Site site;
  const auto log = site.master_folder / "ping.log";
  const auto answers = [&] {
    return std::stoi(site.laptop.run("grep -c 'bytes from 192.168.1.50' " + log).text);
  };
  const pid_t ping_pid =
      site.laptop.start({"sh", "-c", "exec ping -n -i 0.1 192.168.1.50 >" + log + " 2>&1"});
  Ear office{site.office, "eth0"};
  BOOST_TEST(until([&] { return site.laptop.run("grep -q nreachable " + log).code == 0; }));
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  BOOST_TEST(until([&] { return answers() > 3; }));
  site.close();
  const int before = answers();
  std::this_thread::sleep_for(500ms);
  BOOST_TEST(answers() - before <= 1);
  BOOST_TEST(office.heard("192.168.38.224/29") == 0);
  BOOST_TEST(office.heard("192.168.1.50") == 0);
  end_process(ping_pid, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_flushed_ruleset_opens_nothing_and_the_next_session_has_its_guard) {
  Site site;
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  site.onsite.must("nft flush ruleset");
  site.close();
  site.open({{"192.168.1.50/32", 0, 0, 0}});
  BOOST_TEST(site.onsite.must("nft list tables").find("rdv_guard") != std::string::npos);
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.60", "unreachable"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
