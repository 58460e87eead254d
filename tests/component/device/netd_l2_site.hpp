#pragma once
#include "netd_frames.hpp"
#include "netd_site.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <sys/socket.h>

#include <optional>
#include <string>

/// What the component tests of L2 mode share: a site whose two devices are joined.
namespace netd_test {

inline constexpr std::uint64_t session = 7;
inline const std::string everybody = "ff:ff:ff:ff:ff:ff";

inline Setup l2_setup(const std::string& role) {
  return {{"role", role}, {"mode", std::string{"L2"}}};
}

/// Of a snapshot without what a restarted dnsmasq changes: its pid.
inline std::string lasting(const Host& host) {
  return host.must("true") + host.snapshot().substr(0, host.snapshot().find("dnsmasq "));
}

struct L2Site : Site {
  L2Site() {
    master_idle = lasting(master);
    onsite_idle = lasting(onsite);
    laptop_mac = mac_of(laptop, "lap0");
    camera_mac = mac_of(camera, "eth0");
  }
  void open_l2() {
    open_l2_at_once();
    wait_cable();
  }
  void open_l2_at_once() {
    master_end = master_client->OpenSession(session, l2_setup("master"));
    onsite_end = onsite_client->OpenSession(session, l2_setup("onsite"));
    pump.emplace(std::get<0>(master_end).get(), std::get<0>(onsite_end).get());
  }
  bool is_on() const {
    return master.must("ip -o link show usb0").find(",UP") != std::string::npos;
  }
  /// How often the laptop's carrier went or came (ip(8), "transns").
  int carrier_changes() const {
    const auto text = laptop.must("ip -s -s link show lap0 | awk '/transns/ {getline; print $5}'");
    return std::stoi(text);
  }
  void kill_master_while_off() {
    master_netd->kill();
    BOOST_REQUIRE(!is_on());
  }
  void start_master() {
    master_netd.emplace(master, master_bus, master_folder);
    master_client->SetRole("master");
  }
  /// It is dead for a moment when L2 begins and when it ends.
  void wait_cable() const {
    BOOST_TEST(until(
        [&] { return laptop.must("ip -o link show lap0").find("LOWER_UP") != std::string::npos; }));
  }
  /// The laptop with an address of the customer's LAN.
  void move_laptop() {
    laptop.must("ip addr flush dev lap0 && ip addr add 192.168.1.77/24 dev lap0");
  }
  /// The packets of a counter of the session's table.
  static std::string counter(const Host& host, const std::string& name) {
    const auto text = host.must("nft list counter netdev rdv_session " + name);
    const auto at = text.find("packets ") + 8;
    return text.substr(at, text.find(' ', at) - at);
  }
  static bool is_promiscuous(const Host& host, const std::string& link) {
    return host.must("ip -d -o link show " + link).find("promiscuity 0") == std::string::npos;
  }
  static Said is_idle(const Host& host, const std::string& idle) {
    return until_nothing([&] { return line_changes(idle, lasting(host)); });
  }
  void check_nothing_left() {
    wait_cable();
    BOOST_TEST(is_idle(master, master_idle));
    BOOST_TEST(is_idle(onsite, onsite_idle));
    BOOST_TEST(!is_promiscuous(master, "usb0"));
    BOOST_TEST(!is_promiscuous(onsite, "eth0"));
    BOOST_TEST(onsite.must("tc qdisc show").find("clsact") == std::string::npos);
  }

  std::string master_idle, onsite_idle, laptop_mac, camera_mac;
};

/// A TCP connection of the onsite itself on the customer's LAN: as the one to its server.
class OwnConnection {
 public:
  explicit OwnConnection(const L2Site& site) {
    tunnel::UniqueFd listening;
    site.camera.enter([&] { listening = socket(); });
    sockaddr_in at{.sin_family = AF_INET, .sin_port = htons(443), .sin_addr = {}, .sin_zero = {}};
    BOOST_REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    BOOST_REQUIRE(::listen(listening.get(), 1) == 0);
    site.onsite.enter([&] { here_ = socket(); });
    ::inet_pton(AF_INET, "192.168.1.50", &at.sin_addr);
    BOOST_REQUIRE(::connect(here_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    there_ = tunnel::UniqueFd{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  }
  /// Whether a byte goes there and back.
  bool works() const {
    return carries(here_.get(), there_.get()) && carries(there_.get(), here_.get());
  }

 private:
  static tunnel::UniqueFd socket() {
    return tunnel::UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  }
  static bool carries(int from, int to) {
    char byte = 'x';
    if (::send(from, &byte, 1, MSG_NOSIGNAL) != 1) return false;
    return until([&] { return ::recv(to, &byte, 1, MSG_DONTWAIT) == 1; });
  }
  tunnel::UniqueFd here_, there_;
};

}  // namespace netd_test
