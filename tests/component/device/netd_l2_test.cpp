#include "netd_l2_site.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <unistd.h>

/// L2 mode: the laptop's port and the customer's LAN port joined through the tunnel.
namespace {

using namespace netd_test;

BOOST_AUTO_TEST_SUITE(l2)

BOOST_AUTO_TEST_CASE(the_laptop_is_a_host_of_the_customers_lan_and_afterwards_nothing_is_left) {
  L2Site site;
  const OwnConnection uplink{site};
  site.camera.start({"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                     "--interface=eth0", "--bind-interfaces",
                     "--dhcp-range=192.168.1.100,192.168.1.150,2m",
                     "--dhcp-leasefile=" + site.onsite_folder / "leases", "--user=root"});
  const Service ssh{site.onsite, Service::Kind::tcp, 22};
  const Service web{site.camera, Service::Kind::tcp, 80};
  site.open_l2();
  BOOST_TEST(std::get<1>(site.onsite_end) == "rdv0");
  BOOST_TEST(site.onsite.must("ip -d link show rdv0").find("tun type tap pi off vnet_hdr on") !=
             std::string::npos);
  BOOST_TEST(site.master.processes("dnsmasq").empty());
  BOOST_TEST(site.is_promiscuous(site.onsite, "eth0"));
  // By its old address the laptop reaches the master yet, and nothing beyond.
  BOOST_TEST(ping_says(site.laptop, "192.168.38.225", "answer"));
  BOOST_TEST(ping_says(site.laptop, "8.8.8.8", "unreachable"));

  get_lease(site.laptop, "lap0", site.master_folder);
  BOOST_TEST(site.laptop.must("ip -4 -o addr show dev lap0").find("inet 192.168.1.1") !=
             std::string::npos);
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer", "-M do -s 1472"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 80, "open"));
  // The onsite itself, which has the address that the master has, too.
  BOOST_TEST(ping_says(site.laptop, "192.168.1.10", "answer"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.10", 22, "open"));
  BOOST_TEST(site.onsite.must("ip neigh show dev eth0").find(site.laptop_mac) != std::string::npos);
  BOOST_TEST(uplink.works());
  BOOST_TEST(site.counter(site.onsite, "loops") == "0");
  BOOST_TEST(site.counter(site.master, "loops") == "0");

  site.close();
  BOOST_TEST(uplink.works());
  BOOST_TEST(get_lease(site.laptop, "lap0", site.master_folder));
  site.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(broadcasts_multicast_and_tagged_frames_cross_once_and_unchanged) {
  L2Site site;
  site.open_l2();
  Wire laptop{site.laptop, "lap0"}, camera{site.camera, "eth0"}, onsite{site.onsite, "eth0"};
  const std::string mdns = "01:00:5e:00:00:fb", text = "88b5 0001 0203";
  for (const auto& to : {everybody, mdns, site.camera_mac})
    for (const std::string tag : {"", "8100 2005", "88a8 0007"}) {
      const auto from_laptop = frame(to, site.laptop_mac, tag + text);
      laptop.send(from_laptop);
      BOOST_TEST(camera.hears(from_laptop), to << " " << tag);
      const auto from_camera =
          frame(to == site.camera_mac ? site.laptop_mac : to, site.camera_mac, tag + text);
      camera.send(from_camera);
      BOOST_TEST(laptop.hears(from_camera), to << " " << tag);
    }
  // Exactly once, and none comes back to where it was sent: what is sent last has overtaken
  // nothing.
  const auto first = frame(everybody, site.laptop_mac, "88b5 1111");
  const auto own = frame(everybody, mac_of(site.onsite, "eth0"), "88b5 2222");
  const auto last = frame(everybody, site.laptop_mac, "88b5 3333");
  Wire at_laptop{site.laptop, "lap0"}, at_camera{site.camera, "eth0"};
  laptop.send(first);
  onsite.send(own);
  BOOST_TEST(until([&] { return at_laptop.heard(own) == 1; }));
  laptop.send(last);
  BOOST_TEST(camera.hears(last));
  BOOST_TEST(at_camera.heard(first) == 1);
  BOOST_TEST(laptop.heard(first) + laptop.heard(last) == 0);
  BOOST_TEST(onsite.heard(own) == 0);
  BOOST_TEST(at_laptop.heard(own) == 0);
}

BOOST_AUTO_TEST_CASE(what_only_the_customers_network_may_say_never_comes_from_the_laptops_side) {
  L2Site site;
  site.open_l2();
  Wire laptop{site.laptop, "lap0"}, camera{site.camera, "eth0"};
  const std::string ip4 = "0800 45000024 00000000 40110000 c0a80109 ffffffff ";
  const std::string ip6 = "86dd 60000000 0010";
  const std::string ends = "ff fe800000000000000000000000000001 ff020000000000000000000000000001 ";
  const auto udp6 = [&](const std::string& ports) {
    return ip6 + "11" + ends + ports + "0010 0000 0000000000000000";
  };
  struct Case {
    const char* what;
    std::string to, rest;
    bool reaches_laptop;
  };
  const Case cases[] = {
      {"BPDU", "01:80:c2:00:00:00", "0026 424203 0000 00", false},
      {"pause", "01:80:c2:00:00:01", "8808 0001 ffff", false},
      {"LACP", "01:80:c2:00:00:02", "8809 0101", false},
      {"802.1X", "01:80:c2:00:00:03", "888e 0101", false},
      {"PVST+", "01:00:0c:cc:cc:cd", "0032 aaaa03 00000c 010b", false},
      {"LLDP", "01:80:c2:00:00:0e", "88cc 0207 04", true},
      {"CDP", "01:00:0c:cc:cc:cc", "0020 aaaa03 00000c 2000", true},
      {"MVRP", "01:80:c2:00:00:21", "88f5 0001", true},
      {"MRP", "01:15:4e:00:00:01", "88e3 0001 0200", true},
      {"DHCP offer", everybody, ip4 + "0043 0044 0010 0000 0000000000000000", true},
      {"DHCP offer from another port", everybody, ip4 + "0443 0044 0010 0000 0000000000000000",
       true},
      {"DHCP offer behind options", everybody,
       "0800 46000028 00000000 40110000 c0a80109 ffffffff 01010101 0043 0044 0010 0000 "
       "0000000000000000",
       true},
      {"DHCP offer, first fragment", everybody,
       "0800 45000024 00002000 40110000 c0a80109 ffffffff 0043 0044 0150 0000 0000000000000000",
       true},
      {"IPv4 with a broken header", everybody,
       "0800 4f000024 00000000 40110000 c0a80109 ffffffff 0043 0044 0010 0000 0000000000000000",
       true},
      {"DHCP relay", everybody, ip4 + "0043 0043 0010 0000 0000000000000000", true},
      {"redirect of IPv4", everybody,
       "0800 45000024 00000000 40010000 c0a80109 ffffffff 0501 0000 c0a80109 0000000000000000",
       true},
      {"RA of IPv4", everybody,
       "0800 45000024 00000000 40010000 c0a80109 ffffffff 0900 0000 01020708 c0a8010900000000",
       true},
      {"RA", "33:33:00:00:00:01", ip6 + "3a" + ends + "8600 0000 40000708 0000000000000000", true},
      {"redirect", "33:33:00:00:00:01", ip6 + "3a" + ends + "8900 0000 000000000000000000000000",
       true},
      {"RA behind a header", "33:33:00:00:00:01",
       ip6 + "3c" + ends + "3a00 0104 00000000 8600 0000 40000708", true},
      {"RA in a fragment", "33:33:00:00:00:01",
       "86dd 60000000 0018 2c" + ends + "3a00 0000 00000001 8600 0000 40000708 0000000000000000",
       true},
      {"RA, headers up to the next fragment", "33:33:00:00:00:01",
       ip6 + "2c" + ends + "3c00 0001 00000001 3a00 0104 00000000", true},
      {"RA, headers on into the next fragment", "33:33:00:00:00:01",
       ip6 + "2c" + ends + "3c00 0001 00000001 3a01 010c 00000000", true},
      {"DHCPv6", "33:33:00:01:00:02", udp6("0223 0222"), true},
      {"DHCPv6 relay", "33:33:00:01:00:02", udp6("0223 0223"), true},
  };
  const auto refused_at = [&] { return std::stoi(site.counter(site.master, "refused")); };
  for (const auto& test : cases)
    for (const std::string tag : {"", "8100 0005 "}) {
      const auto before = refused_at();
      const auto up = frame(test.to, site.laptop_mac, tag + test.rest);
      laptop.send(up);
      BOOST_TEST(until([&] { return refused_at() > before; }), test.what << " " << tag);
      const auto down = frame(test.to, site.camera_mac, tag + test.rest);
      const auto tells = frame(everybody, site.camera_mac, "88b5 0001");
      Wire ear{site.laptop, "lap0"}, last{site.laptop, "lap0"};
      camera.send(down);
      camera.send(tells);
      BOOST_TEST(last.hears(tells));
      BOOST_TEST(ear.heard(down) == (test.reaches_laptop && (tag.empty() || test.to[1] != '1' ||
                                                             std::string{test.what} != "LLDP")
                                         ? 1
                                         : 0),
                 test.what << " " << tag);
      BOOST_TEST(camera.heard(up) == 0, test.what << " " << tag);
    }
  // What would hide those: a second tag, LLC/SNAP.
  for (const std::string rest : {"8100 0000 8100 0005 0800", "88a8 0001 8100 0005 86dd",
                                 "0030 aaaa03 000000 86dd", "8100 0005 0030 aaaa03 000000 0800"}) {
    const auto before = refused_at();
    laptop.send(frame(everybody, site.laptop_mac, rest));
    BOOST_TEST(until([&] { return refused_at() > before; }), rest);
  }
  // What is like it, and a neighbour's right: a client's question, fragments of a ping.
  for (const auto& rest :
       {std::string{"0800 45000024 00000000 40010000 c0a80109 ffffffff 0800 0000 00010001 "
                    "0000000000000000"},
        ip4 + "0044 0043 0010 0000 0000000000000000", udp6("0222 0223"),
        "86dd 60000000 0018 2c" + ends + "3a00 0001 00000001 8000 0000 00010001 0000000000000000",
        ip6 + "2c" + ends + "3a00 0010 00000001 8600 0000 40000708",
        "86dd 60000000 0000 3b" + ends}) {
    const auto asks = frame("33:33:00:01:00:02", site.laptop_mac, rest);
    laptop.send(asks);
    BOOST_TEST(camera.hears(asks), rest);
  }
}

BOOST_AUTO_TEST_CASE(the_onsite_refuses_by_itself_what_a_master_should_have) {
  L2Site site;
  const auto [tap, link] = site.onsite_client->OpenSession(session, l2_setup("onsite"));
  Wire camera{site.camera, "eth0"};
  const auto inject = [fd = tap.get()](const std::string& text) {
    const auto packet = std::string(10, '\0') + text;
    BOOST_REQUIRE(::write(fd, packet.data(), packet.size()) == static_cast<ssize_t>(packet.size()));
  };
  const auto station = [](int n) { return fmt::format("02:00:00:00:01:{:02x}", n); };
  inject(frame("01:80:c2:00:00:00", station(1), "0026 424203 0000 00"));
  inject(frame(everybody, "03:00:00:00:00:01", "88b5 0001"));
  inject(frame(everybody, mac_of(site.onsite, "eth0"), "88b5 0001"));
  BOOST_TEST(site.counter(site.onsite, "refused") == "1");
  // 32 stations, and then none more; those that are known go on.
  for (int n = 1; n <= 34; ++n)
    inject(frame(everybody, station(n), "88b5 4444"));
  inject(frame(everybody, station(32), "88b5 5555"));
  BOOST_TEST(site.counter(site.onsite, "too_many") == "2");
  Wire ear{site.camera, "eth0"};
  inject(frame(everybody, station(1), "88b5 6666"));
  BOOST_TEST(ear.hears(frame(everybody, station(1), "88b5 6666")));
  int heard = 0;
  for (int n = 1; n <= 34; ++n) {
    Wire fresh{site.camera, "eth0"};
    inject(frame(everybody, station(n), "88b5 7777"));
    heard += until([&] { return fresh.heard(frame(everybody, station(n), "88b5 7777")) > 0; },
                   n > 32 ? 50ms : patience);
  }
  BOOST_TEST(heard == 32);
  // An address of the LAN does not come from the tunnel, and the LAN keeps it.
  const auto theirs = frame(everybody, site.camera_mac, "88b5 8888");
  camera.send(theirs);
  inject(theirs);
  BOOST_TEST(site.counter(site.onsite, "loops") != "0");
  site.onsite_client->CloseSession(session);
  site.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_scan_of_the_customers_lan_is_no_loop) {
  L2Site site;
  site.open_l2();
  Wire laptop{site.laptop, "lap0"}, camera{site.camera, "eth0"};
  for (int n = 0; n < 1000; ++n)
    laptop.send(frame(everybody, site.laptop_mac, fmt::format("88b5 {:04x}", n)));
  const auto after = frame(site.camera_mac, site.laptop_mac, "88b5 ffff");
  BOOST_TEST(until([&] {
    laptop.send(after);
    return camera.heard(after) > 0;
  }));
  BOOST_TEST(site.counter(site.master, "loops") == "0");
  BOOST_TEST(site.counter(site.onsite, "loops") == "0");
}

BOOST_AUTO_TEST_CASE(a_loop_between_both_sides_is_cut_and_seen) {
  L2Site site;
  site.open_l2();
  site.laptop.must("ip link add loop0 type veth peer name loop0 netns " +
                   std::to_string(site.camera.pid()));
  for (const auto& [host, port] : {std::pair{&site.laptop, "lap0"}, {&site.camera, "eth0"}})
    host->must(
        fmt::format("ip link add br0 type bridge && ip link set {} master br0 && ip link set "
                    "loop0 master br0 up && ip link set br0 up",
                    port));
  Wire camera{site.camera, "br0"};
  const auto broadcast = frame(everybody, "02:00:00:00:02:01", "88b5 9999");
  const auto loops = [&] {
    return std::stoi(site.counter(site.master, "loops")) +
           std::stoi(site.counter(site.onsite, "loops"));
  };
  BOOST_TEST(until([&] {
    camera.send(broadcast);
    return loops() > 0;
  }));
  // What circled before, of all the neighbours, is not more than each of them may say; without a
  // limit it is 8000 in this time.
  const auto carried = [&] {
    return std::stol(site.onsite.must("ip -s link show rdv0 | awk '/TX:/ {getline; print $2}'"));
  };
  BOOST_TEST(until([&] {
    const auto before = carried();
    std::this_thread::sleep_for(100ms);
    return carried() - before < 1000;
  }));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_plugged_in_anew_is_joined_again) {
  L2Site site;
  site.open_l2();
  site.move_laptop();
  site.onsite.must("ip link del eth0");
  cable(site.onsite, "eth0", site.camera, "eth0");
  site.camera.must("ip addr add 192.168.1.50/24 dev eth0");
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_bridged_is_refused_with_its_reason) {
  L2Site site;
  const auto refusal = [&](const std::string& port) -> std::string {
    auto setup = l2_setup("onsite");
    setup["interface"] = port;
    try {
      site.onsite_client->OpenSession(session, setup);
    } catch (const sdbus::Error& error) {
      return error.getName() + ": " + error.getMessage();
    }
    site.onsite_client->CloseSession(session);
    return "";
  };
  const auto says = [&](const std::string& port, const std::string& what) {
    const auto text = refusal(port);
    BOOST_TEST((text.starts_with("org.rdv.Error.NotBridgeable: " + port) &&
                text.find(what) != std::string::npos),
               text);
  };
  site.onsite.must(
      "ip link add wlan0 type veth peer name w1 && ip link set wlan0 up && ip link set w1 up && "
      "ip link add alone type veth peer name a1 && ip link set alone up && "
      "ip link add br0 type bridge && ip link set br0 up && "
      "ip link add port type veth peer name p1 && ip link set port master br0 up && "
      "ip tuntap add ppp9 mode tun && ip link set ppp9 up");
  says("wlan0", "is Wi-Fi");
  says("ppp9", "carries no Ethernet frames");
  says("port", "belongs to a bridge");
  says("br0", "is virtual (bridge)");
  says("alone", "has no carrier");
  BOOST_TEST(refusal("eth9").starts_with("org.rdv.Error.NoInterface"));
  auto with_tunnel = l2_setup("onsite");
  with_tunnel["tunnel"] = std::string{tunnel_prefix};
  BOOST_TEST(error_of([&] { site.onsite_client->OpenSession(session, with_tunnel); }) ==
             "org.rdv.Error.InvalidArgument");
  BOOST_TEST(refusal("eth0") == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
