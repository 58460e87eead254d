#include "config.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

namespace {

using device::Config;
using device::ConfigError;
using device::parse_config;

/// What the parser complains about; "" when it does not.
std::string complaint(const std::string& toml) {
  try {
    parse_config(toml, "device.toml");
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

bool complains(const std::string& toml, const std::string& about) {
  const auto text = complaint(toml);
  BOOST_TEST_MESSAGE(text);
  return text.find(about) != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(an_empty_file_means_the_defaults) {
  const auto config = parse_config("", "device.toml");
  BOOST_TEST(config.state_dir == "/var/lib/rdv-tundev");
  BOOST_TEST(config.runtime_dir == "/run/rdv");
  BOOST_TEST(config.resolv_conf == "/etc/resolv.conf");
  BOOST_TEST((config.log.level == tunnel::log::Level::info));
  BOOST_TEST(config.server.address.empty());
  BOOST_TEST(config.uplink.devices.empty());
  BOOST_TEST(config.uplink.device.empty());
  BOOST_TEST((config.uplink.return_after == std::chrono::seconds{60}));
  BOOST_TEST(config.onsite.interface.empty());
  BOOST_TEST(config.master.address == "192.168.38.225/29");
  BOOST_TEST(config.master.match.empty());
  BOOST_TEST(config.master.exclude.empty());
}

BOOST_AUTO_TEST_CASE(every_key_is_read) {
  const auto config = parse_config(R"(
state_dir = "/s"
runtime_dir = "/r"
resolv_conf = "/c"
[log]
level = "debug"
[server]
address = "[2001:db8::1]:8443"
[uplink]
devices = ["eth", "wlan0", "ww*"]
device = "wwan0"
return_after = 5
[onsite]
interface = "eth1"
[master]
address = "10.9.8.1/24"
match = "usb*"
exclude = ["docker*", "enp3s0"]
)",
                                   "device.toml");
  BOOST_TEST(config.state_dir == "/s");
  BOOST_TEST(config.runtime_dir == "/r");
  BOOST_TEST(config.resolv_conf == "/c");
  BOOST_TEST((config.log.level == tunnel::log::Level::debug));
  BOOST_TEST(config.server.address == "[2001:db8::1]:8443");
  BOOST_TEST((config.uplink.devices == std::vector<std::string>{"eth", "wlan0", "ww*"}));
  BOOST_TEST(config.uplink.device == "wwan0");
  BOOST_TEST((config.uplink.return_after == std::chrono::seconds{5}));
  BOOST_TEST(config.onsite.interface == "eth1");
  BOOST_TEST(config.master.address == "10.9.8.1/24");
  BOOST_TEST(config.master.match == "usb*");
  BOOST_TEST(config.master.exclude.size() == 2);
}

BOOST_AUTO_TEST_CASE(an_unknown_key_is_an_error_that_names_the_line) {
  BOOST_TEST(complains("\n\nstate_dirs = \"/x\"\n", "device.toml:3: state_dirs: unknown key"));
  BOOST_TEST(complains("[master]\naddres = \"\"\n", "device.toml:2: [master] addres: unknown key"));
  BOOST_TEST(complains("[relay]\n", "device.toml:1: relay: unknown key"));
}

BOOST_AUTO_TEST_CASE(a_syntax_error_names_the_line) {
  BOOST_TEST(complains("state_dir = \"/a\"\n[log\n", "device.toml:2:"));
}

BOOST_AUTO_TEST_CASE(a_value_of_another_type_is_an_error) {
  BOOST_TEST(complains("state_dir = 5", "must be a text"));
  BOOST_TEST(complains("log = \"debug\"", "must be a section"));
  BOOST_TEST(complains("[master]\nexclude = \"x\"", "must be a list"));
  BOOST_TEST(complains("[master]\nexclude = [1]", "must be a list of texts"));
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_used_is_an_error) {
  BOOST_TEST(complains("state_dir = \"var\"", "absolute path"));
  BOOST_TEST(complains("[log]\nlevel = \"loud\"", "must be \"debug\""));
  BOOST_TEST(complains("[onsite]\ninterface = \"sixteen-letters-\"", "longer than 15"));
  BOOST_TEST(complains("[onsite]\ninterface = \"a/b\"", "not a name"));
  BOOST_TEST(complains("[onsite]\nl2 = \"no\"", "must be true or false"));
  BOOST_TEST(parse_config("", "x").onsite.l2);
  BOOST_TEST(!parse_config("[onsite]\nl2 = false", "x").onsite.l2);
  BOOST_TEST(complains("[uplink]\ndevice = \"a b\"", "not a name"));
  for (const char* bad : {"4", "3601", "\"60\"", "6.5"})
    BOOST_TEST(complains(std::string{"[uplink]\nreturn_after = "} + bad, "from 5 to 3600"), bad);
  BOOST_TEST(complains("[onsite]\ninterface = \"a\\u0000b\"", "control character"));
}

BOOST_AUTO_TEST_CASE(the_address_of_the_laptops_port_leaves_room_for_a_laptop) {
  for (const char* good : {"192.168.38.225/29", "10.0.0.1/16", "10.0.0.2/30"})
    BOOST_TEST(complaint(std::string{"[master]\naddress = \""} + good + "\"").empty());
  for (const char* bad :
       {"", "192.168.38.225", "192.168.38.224/29", "192.168.38.231/29", "10.0.0.1/31", "10.0.0.1/8",
        "10.0.0.1/029", "fe80::1/64", "10.0.0.1/24 ", "10.0.0/24"})
    BOOST_TEST(!complaint(std::string{"[master]\naddress = \""} + bad + "\"").empty(), bad);
}

BOOST_AUTO_TEST_CASE(a_server_is_a_host_and_a_port) {
  for (const char* good : {"", "rdv.example.com:443", "203.0.113.10:443", "[2001:db8::1]:443"})
    BOOST_TEST(complaint(std::string{"[server]\naddress = \""} + good + "\"").empty(), good);
  for (const char* bad : {"rdv.example.com", ":443", "rdv:0", "rdv:65536",
                          "rdv:", "2001:db8::1:443", "a b:443", "user@rdv:443", "rdv:44x"})
    BOOST_TEST(!complaint(std::string{"[server]\naddress = \""} + bad + "\"").empty(), bad);
}

BOOST_AUTO_TEST_CASE(several_servers_are_a_list) {
  const auto config = parse_config("[server]\naddress = ['a:443', '[::1]:8443']\n", "device.toml");
  BOOST_TEST(config.server.address == "a:443, [::1]:8443");
  BOOST_TEST(complains("[server]\naddress = ['a:443', '']", "device.toml:2: [server] address"));
  BOOST_TEST(complains("[server]\naddress = ['a:443', 'b']", "host:port"));
  BOOST_TEST(
      complains("[server]\naddress = ['a:1','b:1','c:1','d:1','e:1','f:1','g:1','h:1','i:1']",
                "more than 8 servers"));
}

BOOST_AUTO_TEST_CASE(a_proxy_is_read_and_its_password_never_told) {
  const auto config = parse_config(R"([proxy]
url = "http://p:3128"
user = "ops"
password_file = "/etc/rdv/proxy.password"
no_proxy = ["10.0.0.0/8", "example.com"]
)",
                                   "device.toml");
  BOOST_TEST(config.proxy.url == "http://p:3128");
  BOOST_TEST(config.proxy.user == "ops");
  BOOST_TEST(config.proxy.password_file == "/etc/rdv/proxy.password");
  BOOST_TEST(config.proxy.no_proxy.size() == 2U);
  BOOST_TEST(complaint("[proxy]\nurl = 'direct'").empty());
  for (const auto* url : {"ftp://u:secret@p", "http://u:secret@p:99999", "http://u:secret@"}) {
    const auto said = complaint(std::string{"[proxy]\nurl = '"} + url + "'");
    BOOST_TEST(said.find("device.toml:2: [proxy] url") == 0U, said);
    BOOST_TEST(said.find("secret") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_an_error_only_when_it_was_named) {
  BOOST_CHECK_THROW(device::load_config("/nonexistent/device.toml"), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
