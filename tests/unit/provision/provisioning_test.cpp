#define BOOST_TEST_MODULE provision
#include "provision/provisioning.hpp"

#include "provision/values.hpp"
#include "wire/enrolment_code.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace tunnel::provision;

namespace {

// Made by ssh-keygen (OpenSSH 9.2); nobody has the private halves.
const std::string ed25519 =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINuQE8YRapbQYfNnBP3dyFuxnoNWo28j2Rm6pwM47y2w "
    "bob@example.com";
const std::string ecdsa =
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIQelMXck8NMLn+"
    "Hy78fcerm7dA55xoyJS1XB96OrRxmDCA307JjND77D0ZQLbInQxVwLHbslv5GIaArduIlNqg= bob@example.com";
const std::string rsa =
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDJNPTQ6w/KoP+sGa+wpgjxGGHMI+r3wU6aI8xcv4ENam6R2/gzN21phlLJzFax/"
    "XFffksNeEinegCOcr0Rh90euqIli5t/"
    "xZ1dhYWfgK+"
    "HZZISKW7xq4SS4Cgm6vqizkGVZFbIlei5fchlGFZ7W8Ag73KFDuDdijxMqTXgDk8OkZmZOD2HnJjIii20716dyRgOktf5u"
    "rLIvYebeM6I9pwZUjUBhMFmenaMRxeQvlnkADTAJyGpXdygiub7pIVlFq9Um7OLAg8gYthXSjuWHkocoNhGaoTY43hGxvs"
    "BKwSVU4DDXIsU3rFYskfMlseJLbUaHShMAq+Hl6cEEWKYl1a9 carol";

std::string code() {
  return tunnel::wire::EnrolmentCode{.server = "rdv.example.com:443"}.str();
}

Provisioning plain() {
  Provisioning p;
  p.name = "rpi1100";
  p.role = "onsite";
  p.code = code();
  p.ssh_keys = {ed25519};
  return p;
}

Provisioning wifi() {
  auto p = plain();
  p.uplink.kind = "wifi";
  p.uplink.ssid = "Café \"Zur Post\" \\o/";
  p.uplink.passphrase = "pass\"word#\\";
  p.uplink.country = "FR";
  return p;
}

Provisioning fixed() {
  auto p = plain();
  p.uplink.kind = "static";
  p.uplink.address = "192.168.1.10/24";
  p.uplink.gateway = "192.168.1.1";
  p.uplink.dns = {"192.168.1.1", "9.9.9.9"};
  return p;
}

Provisioning apn() {
  auto p = plain();
  p.role = "master";
  p.uplink.kind = "apn";
  p.uplink.interface = "wwan0";
  p.uplink.apn = "internet.example";
  p.uplink.user = "u";
  p.uplink.password = "p";
  p.uplink.pin = "0000";
  p.proxy = {"http://proxy.example.com:3128", "bob", "secret"};
  return p;
}

std::string all_problems(std::string_view text) {
  const auto checked = check(text);
  if (!std::holds_alternative<Problems>(checked)) return {};
  std::string said;
  for (const auto& problem : std::get<Problems>(checked))
    said += problem.str() + "\n";
  return said;
}

/// The text of a good file with one thing replaced.
std::string changed(const Provisioning& p, std::string_view from, std::string_view to) {
  auto text = to_toml(p);
  const auto at = text.find(from);
  BOOST_REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_written_is_read_again_whatever_the_uplink) {
  for (const auto& p : {plain(), wifi(), fixed(), apn()}) {
    const auto text = to_toml(p);
    BOOST_TEST(all_problems(text) == "");
    const auto checked = check(text);
    BOOST_REQUIRE(std::holds_alternative<Provisioning>(checked));
    const auto& read = std::get<Provisioning>(checked);
    BOOST_TEST(to_toml(read) == text);
    BOOST_TEST(read.uplink.ssid == p.uplink.ssid);
    BOOST_TEST(read.uplink.passphrase == p.uplink.passphrase);
    BOOST_TEST(read.uplink.dns == p.uplink.dns);
    BOOST_TEST(read.proxy.password == p.proxy.password);
    BOOST_TEST(read.ssh_keys == p.ssh_keys);
  }
}

BOOST_AUTO_TEST_CASE(the_comment_names_the_server_and_never_hides_a_value) {
  const auto text = to_toml(plain());
  BOOST_TEST(text.find("# one-time code of the server rdv.example.com:443\n") != std::string::npos);
  auto evil = plain();
  evil.name = "x\nname = \"y\"";
  BOOST_TEST(all_problems(to_toml(evil)).find("name: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_from_another_computer_is_read_too) {
  std::string text = "\xef\xbb\xbf";  // a byte order mark, and the line ends of Windows
  for (const char c : to_toml(wifi()))
    text += c == '\n' ? std::string{"\r\n"} : std::string{c};
  BOOST_TEST(all_problems(text) == "");
}

BOOST_AUTO_TEST_CASE(what_a_device_keeps_of_a_large_file_is_a_file_to_it) {
  auto p = plain();
  p.ssh_keys.assign(3, ed25519 + std::string(4000 - ed25519.size(), '"'));
  auto text =
      "format = 1\nname = \"rpi1100\"\nrole = \"onsite\"\ncode = \"" + code() + "\"\nssh_keys = [";
  for (const auto& key : p.ssh_keys)
    text += "'" + key + "',";
  const auto checked = check(text + "]\n");
  BOOST_REQUIRE(std::holds_alternative<Provisioning>(checked));
  const auto kept = to_toml(std::get<Provisioning>(checked));
  BOOST_TEST(kept.size() > file_bytes_max);
  BOOST_TEST(std::holds_alternative<Provisioning>(check(kept, Code::none)));
}

BOOST_AUTO_TEST_CASE(without_an_uplink_it_is_dhcp) {
  const auto checked = check(changed(plain(), "[uplink]\nkind = \"dhcp\"\n", ""));
  BOOST_REQUIRE(std::holds_alternative<Provisioning>(checked));
  BOOST_TEST(std::get<Provisioning>(checked).uplink.kind == "dhcp");
}

BOOST_AUTO_TEST_CASE(every_wrong_value_is_named_with_its_line_and_what_to_write) {
  const struct {
    std::string text, said;
  } cases[]{
      {changed(plain(), "\"rpi1100\"", "\"Royal\""), "line 6: name: must be 1 to 32 small letters"},
      {changed(plain(), "\"rpi1100\"", "1100"), "line 6: name: must be a text in quotes"},
      {changed(plain(), "\"onsite\"", "\"slave\""), "role: must be \"onsite\" or \"master\""},
      {changed(plain(), code(), code().substr(5)), "code: is mistyped or cut short"},
      {changed(plain(), "format = 1", "format = 2"), "line 5: format: must be 1"},
      {changed(plain(), "format = 1", ""), "format: is missing"},
      {changed(plain(), "code =", "cod ="), "cod: is not known here; known are: format, name"},
      {changed(plain(), "\"dhcp\"", "\"dhpc\""), "kind: must be \"dhcp\", \"static\", \"wifi\""},
      {changed(plain(), "\"dhcp\"", "\"wifi\""), "[uplink] ssid: is missing"},
      {changed(plain(), "\"dhcp\"", "\"dhcp\"\nssid = \"x\""),
       "[uplink] ssid: is not known with kind = \"dhcp\""},
      {changed(wifi(), "\"FR\"", "\"France\""),
       "[uplink] country: must be the two capital letters"},
      {changed(fixed(), "192.168.1.10/24", "192.168.1.10"),
       "address: must be an IPv4 address with"},
      {changed(fixed(), "192.168.1.10/24", "192.168.1.255/24"), "address: is the network or the"},
      {changed(fixed(), "\"192.168.1.1\"", "\"10.0.0.1\""),
       "[uplink] gateway: is not in the network of address, 192.168.1.0/24"},
      {changed(fixed(), "\"192.168.1.1\"", "\"192.168.1.10\""), "gateway: is the device's own"},
      {changed(fixed(), "9.9.9.9", "dns.example.com"), "[uplink] dns: must be an IPv4 address"},
      {changed(fixed(), "dns = [", "dns = []\nx = ["),
       "[uplink] dns: must be a list of 1 to 4 texts"},
      {changed(apn(), "\"0000\"", "0"), "[uplink] pin: must be a text in quotes"},
      {changed(apn(), "\"0000\"", "\"000\""), "[uplink] pin: must be the 4 to 8 digits"},
      {changed(apn(), "http://proxy", "socks://proxy"), "[proxy] url: must begin with http://"},
      {changed(apn(), "url = \"http://proxy.example.com:3128\"\n", ""), "[proxy] url: is missing"},
      {changed(plain(), ed25519, "AAAAC3NzaC1lZDI1NTE5"), "ssh_keys: must be one line of a .pub"},
      {changed(plain(), "ssh_keys = [", "ssh_keys = \"x\" #"), ""},
      {changed(plain(), "[uplink]", "uplink = 1\n[x]"), "uplink: must be a section"},
      {changed(plain(), "\"rpi1100\"", "\"rpi1100"), "line 6: "},
      {to_toml(plain()) + std::string(file_bytes_max, '#'), "the file is larger than 16384 bytes"},
      {"", "format: is missing"},
      {std::string(100, '\0'), "line 1: "},
      {std::string(5000, '['), "line 1: "},
  };
  for (const auto& [text, said] : cases) {
    const auto problems = all_problems(text);
    BOOST_TEST(problems != "");
    BOOST_TEST(problems.find(said) != std::string::npos, said << " is not in: " << problems);
  }
}

BOOST_AUTO_TEST_CASE(all_that_is_wrong_is_said_at_once_but_not_without_end) {
  auto p = fixed();
  p.name = "";
  p.role = "x";
  p.uplink.address = "x";
  const auto said = all_problems(to_toml(p));
  for (const char* key : {"name: ", "role: ", "[uplink] address: "})
    BOOST_TEST(said.find(key) != std::string::npos, key);
  auto text = to_toml(plain());
  for (int i = 0; i < 1000; ++i)
    text.insert(0, "k" + std::to_string(i) + "=1\n");
  const auto checked = check(text);
  BOOST_REQUIRE(std::holds_alternative<Problems>(checked));
  BOOST_TEST(std::get<Problems>(checked).size() == problems_max);
}

BOOST_AUTO_TEST_CASE(a_public_key_is_taken_whole_and_nothing_else) {
  for (const auto& key : {ed25519, ecdsa, rsa}) {
    BOOST_TEST(ssh_key_problem(key) == "");
    BOOST_TEST(ssh_key_problem(key.substr(0, key.rfind(' '))) == "", "without its comment");
    BOOST_TEST(ssh_key_problem(key.substr(0, key.rfind(' ') - 4)) != "", "cut short");
    BOOST_TEST(ssh_key_problem("no-pty " + key) != "");
    BOOST_TEST(ssh_key_problem("  " + key) != "");
    BOOST_TEST(ssh_key_problem(key + "\n" + key) != "");
  }
  auto other = ed25519;
  other.replace(0, std::string{"ssh-ed25519"}.size(), "ssh-rsa");
  BOOST_TEST(ssh_key_problem(other) != "", "the type before the key is not the key's");
  BOOST_TEST(ssh_key_problem("-----BEGIN OPENSSH PRIVATE KEY-----").find(".pub") !=
             std::string::npos);
  BOOST_TEST(ssh_key_problem("ssh-ed25519 ") != "");
  BOOST_TEST(ssh_key_problem("ssh-ed25519 " + std::string(5000, 'A')) != "");
}

BOOST_AUTO_TEST_CASE(the_limits_of_wifi_are_those_of_wpa) {
  BOOST_TEST(ssid_problem(std::string(32, 'x')) == "");
  BOOST_TEST(ssid_problem(std::string(33, 'x')) != "");
  BOOST_TEST(ssid_problem("") != "");
  BOOST_TEST(passphrase_problem(std::string(7, 'x')) != "");
  BOOST_TEST(passphrase_problem(std::string(8, 'x')) == "");
  BOOST_TEST(passphrase_problem(std::string(63, 'x')) == "");
  BOOST_TEST(passphrase_problem(std::string(64, 'x')) != "");
  BOOST_TEST(passphrase_problem(std::string(64, 'a')) == "");
  BOOST_TEST(passphrase_problem("paßwörter") != "");
}

BOOST_AUTO_TEST_CASE(no_value_can_leave_the_file_it_is_written_into) {
  for (const char* hostile : {"a\"b", "a\\b", "a\nb"})
    BOOST_TEST(login_problem(hostile) != "", hostile);
  for (const char* hostile : {"a b", "eth0\n[Match]", "../eth0", "..", "", "sixteen-letters-"})
    BOOST_TEST(interface_problem(hostile) != "", hostile);
  for (const char* hostile : {"internet\"", "a,b", "", "a b"})
    BOOST_TEST(apn_problem(hostile) != "", hostile);
  for (const char* hostile : {"0.0.0.1", "127.0.0.1", "224.0.0.1", "1.2.3", "::1"})
    BOOST_TEST(host_problem(hostile) != "", hostile);
}
