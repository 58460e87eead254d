#define BOOST_TEST_MODULE firstboot
#include "firstboot/enrolling.hpp"
#include "firstboot/plan.hpp"
#include "firstboot/settings.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace device;

namespace {

Provisioning device_of(const std::string& role, const std::string& kind) {
  Provisioning p;
  p.name = "rpi1100";
  p.role = role;
  p.uplink.kind = kind;
  return p;
}

/// The text of the planned file whose path ends so; "" when there is none.
std::string planned(const Provisioning& p, std::string_view end) {
  for (const auto& file : planned_files(p))
    if (file.path.string().ends_with(end)) return file.text;
  return {};
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_master_asks_for_an_address_on_the_boards_own_port_alone) {
  const auto p = device_of("master", "dhcp");
  BOOST_TEST(holds(planned(p, "21-rdv-uplink.network"), "Path=!*-usb-*\n"));
  BOOST_TEST(holds(planned(p, "20-rdv-board-port.network"), "Driver=smsc95xx lan78xx\n"));
  const auto onsite = device_of("onsite", "dhcp");
  BOOST_TEST(planned(onsite, "20-rdv-board-port.network") == "");
  BOOST_TEST(!holds(planned(onsite, "21-rdv-uplink.network"), "Path="));
}

BOOST_AUTO_TEST_CASE(a_masters_adapters_are_not_asked_for_addresses_whatever_its_uplink) {
  for (const char* kind : {"dhcp", "wifi", "apn"}) {
    const auto text = planned(device_of("master", kind), "40-rdv-laptop.network");
    BOOST_TEST(holds(text, "Path=*-usb-*\nDriver=!smsc95xx lan78xx\n\n[Link]\nUnmanaged=yes"));
    BOOST_TEST(planned(device_of("onsite", kind), "40-rdv-laptop.network") == "");
  }
}

BOOST_AUTO_TEST_CASE(a_wifi_is_joined_with_whatever_its_name_and_passphrase_hold) {
  auto p = device_of("onsite", "wifi");
  p.uplink.ssid = "a\"b";
  p.uplink.passphrase = "pass\"word#";
  p.uplink.country = "FR";
  const auto text = planned(p, "wpa_supplicant-wlan0.conf");
  BOOST_TEST(holds(text, "country=FR\n"));
  BOOST_TEST(holds(text, "ssid=612262\n"));
  BOOST_TEST(holds(text, "psk=\"pass\"word#\"\n"));
  BOOST_TEST(holds(planned(p, "30-rdv-lan.network"), "RouteMetric=2048"));
  p.uplink.passphrase.clear();
  BOOST_TEST(holds(planned(p, "wpa_supplicant-wlan0.conf"), "key_mgmt=NONE\n"));
}

BOOST_AUTO_TEST_CASE(what_is_planned_is_among_what_is_ours) {
  for (const char* kind : {"dhcp", "static", "wifi", "apn"})
    for (const char* role : {"onsite", "master"}) {
      auto p = device_of(role, kind);
      p.proxy = {"http://u:p@proxy:3128", "", ""};
      const auto ours = files_of_ours();
      for (const auto& file : planned_files(p))
        BOOST_TEST((file.path == "/etc/hostname" || file.path.parent_path() == wpa_folder ||
                    std::find(ours.begin(), ours.end(), file.path) != ours.end()),
                   file.path);
    }
}

BOOST_AUTO_TEST_CASE(our_lines_are_replaced_and_those_of_others_stay) {
  const auto once = with_keys("ssh-rsa theirs\n", {"ssh-ed25519 a"});
  BOOST_TEST(holds(once, "ssh-rsa theirs\n"));
  const auto twice = with_keys(once, {"ssh-ed25519 b"});
  BOOST_TEST(!holds(twice, "ssh-ed25519 a"));
  BOOST_TEST(with_keys(twice, {}) == "ssh-rsa theirs\n");
  auto p = device_of("master", "dhcp");
  p.uplink.interface = "eth1";
  p.proxy = {"http://u:secret@proxy:3128", "", ""};
  const auto toml = with_settings("[proxy]\n#url = \"\"\n", p);
  BOOST_TEST(holds(toml, "url = \"http://proxy:3128\"\nuser = \"u\"\npassword_file = "));
  BOOST_TEST(holds(toml, "[master]\n"));
  BOOST_TEST(!holds(toml, "secret"));
  BOOST_TEST(with_settings(toml, p) == toml);
}

BOOST_AUTO_TEST_CASE(an_end_marker_that_somebody_deleted_costs_nobody_his_key) {
  auto text = with_keys("ssh-rsa theirs\n", {"ssh-ed25519 a"});
  text.erase(text.find("# --- end"), text.find("ssh-rsa") - text.find("# --- end"));
  BOOST_TEST(holds(with_keys(text, {"ssh-ed25519 b"}), "ssh-rsa theirs\n"));
}

BOOST_AUTO_TEST_CASE(a_modems_password_keeps_the_blank_it_begins_with) {
  auto p = device_of("onsite", "apn");
  p.uplink.apn = "internet";
  p.uplink.password = " a b";
  BOOST_TEST(holds(planned(p, "rdv-uplink.nmconnection"), "\npassword=\\sa b\n"));
}

BOOST_AUTO_TEST_CASE(another_uplink_leaves_no_passphrase_and_touches_no_file_of_others) {
  const tunnel::test::TemporaryFolder root;
  const auto wpa = root / "etc/wpa_supplicant";
  std::filesystem::create_directories(root / "usr/sbin");
  std::filesystem::create_directories(wpa);
  std::ofstream{root / "usr/sbin/wpa_supplicant"};
  std::ofstream{wpa / "wpa_supplicant-wlan0.conf"} << "country=FR\n";  // an administrator's
  const Settings settings{{.root = root.path()}};
  auto p = device_of("onsite", "wifi");
  p.uplink.ssid = "Zur Post";
  p.uplink.passphrase = "secret-of-the-post";
  p.uplink.country = "DE";
  p.uplink.interface = "wlan1";
  settings.apply(p);
  BOOST_TEST(std::filesystem::exists(wpa / "wpa_supplicant-wlan1.conf"));
  p.uplink = {};
  settings.apply(p);
  BOOST_TEST(!std::filesystem::exists(wpa / "wpa_supplicant-wlan1.conf"));
  BOOST_TEST(std::filesystem::exists(wpa / "wpa_supplicant-wlan0.conf"));
}

BOOST_AUTO_TEST_CASE(a_refused_code_is_done_when_the_device_is_connected_under_its_name) {
  using Next = Enrolling::Next;
  Enrolling fresh{"rpi1100"};
  BOOST_TEST((fresh.on_failure("NotConnected", {}) == Next::again));
  BOOST_TEST((fresh.on_failure("Denied", {"rpi1100", true}) == Next::done));
  BOOST_TEST((fresh.on_failure("Denied", {"rpi1200", true}) == Next::give_up));
  BOOST_TEST((fresh.on_failure("Denied", {}) == Next::give_up));
  for (int i = 1; i < Enrolling::settle_tries; ++i)
    BOOST_TEST((fresh.on_failure("Denied", {"rpi1100", false}) == Next::again));
  BOOST_TEST((fresh.on_failure("Denied", {"rpi1100", false}) == Next::give_up));
}

BOOST_AUTO_TEST_CASE(the_next_try_comes_later_and_within_a_minute) {
  Enrolling enrolling{"rpi1100"};
  BOOST_TEST((enrolling.delay() == Enrolling::delay_first));
  for (int i = 0; i < 20; ++i)
    BOOST_TEST((enrolling.delay() <= Enrolling::delay_cap));
}
