// The file that makes an SD card a device, as the real rdvctl writes it.
#define BOOST_TEST_MODULE server_ctl_sd_file
#include "base/files.hpp"
#include "component/server/ctl_harness.hpp"
#include "provision/provisioning.hpp"
#include "wire/enrolment_code.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <fstream>

using namespace rdv::test;
using tunnel::provision::Provisioning;

namespace fs = std::filesystem;
namespace wire = tunnel::wire;

namespace {

struct Administration {
  Administration() { write("bob.pub", key + "\n"); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream{folder.path() / name} << text;
  }
  std::string at(const std::string& name) { return (folder.path() / name).string(); }
  Ran run(const std::string& arguments) { return rdvctl(folder.path(), arguments); }
  bool knows(const std::string& name) { return run("device show " + name).exit_code == 0; }
  /// What a device would read.
  Provisioning read(const std::string& name) {
    auto checked = tunnel::provision::check(tunnel::read_file(folder.path() / name));
    BOOST_REQUIRE(std::holds_alternative<Provisioning>(checked));
    return std::get<Provisioning>(std::move(checked));
  }
  /// It fails, says `said`, leaves no file and no device.
  void check_refused(const std::string& options, const std::string& said) {
    const auto ran = run("device add rpi1100 --role onsite --sd-file " + at("sd.toml") + options);
    BOOST_TEST(ran.exit_code == 1, options);
    BOOST_TEST(ran.err.find(said) != std::string::npos, said << " is not in: " << ran.err);
    BOOST_TEST(!fs::exists(at("sd.toml")));
    BOOST_TEST(!knows("rpi1100"));
  }

  const std::string key =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINuQE8YRapbQYfNnBP3dyFuxnoNWo28j2Rm6pwM47y2w "
      "bob@example.com";
  TemporaryFolder folder;
  PolicyBus bus{folder.path()};
  BareServer server{folder.path()};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sd_file, Administration, *boost::unit_test::precondition(as_root))

BOOST_AUTO_TEST_CASE(it_holds_the_code_which_the_terminal_then_does_not_show) {
  const auto ran = run("device add rpi1100 --role onsite --sd-file " + at("sd.toml") +
                       " --ssh-key " + at("bob.pub"));
  BOOST_TEST(ran.exit_code == 0, ran.err);
  const auto file = read("sd.toml");
  BOOST_TEST(file.name == "rpi1100");
  BOOST_TEST(file.role == "onsite");
  BOOST_TEST(file.ssh_keys == std::vector{key});
  BOOST_TEST(file.uplink.kind == "dhcp");
  const auto code = wire::EnrolmentCode::parse(file.code);
  BOOST_REQUIRE(code);
  BOOST_TEST(code->server == "rdv.example.com:443");
  BOOST_TEST((code->secret != wire::EnrolmentCode{}.secret));
  BOOST_TEST(ran.out.find(file.code) == std::string::npos);
  BOOST_TEST(ran.out.starts_with(at("sd.toml") + " makes an SD card the device rpi1100.\n"));
  struct stat facts {};
  BOOST_REQUIRE(::stat(at("sd.toml").c_str(), &facts) == 0);
  BOOST_TEST((facts.st_mode & 0777U) == 0600U);
}

BOOST_AUTO_TEST_CASE(every_uplink_and_a_proxy_are_written_as_given) {
  write("secret", "pass\"word#\\\r\n");
  write("pin", "0000");
  BOOST_TEST(run("device add a --role onsite --sd-file " + at("a") +
                 " --uplink static --address 192.168.1.10/24 --gateway 192.168.1.1 "
                 "--dns 192.168.1.1 --dns 9.9.9.9 --interface eth0 --proxy "
                 "http://proxy.example.com:3128 --proxy-user bob --proxy-password-file " +
                 at("pin"))
                 .err == "");
  BOOST_TEST(run("device add b --role master --sd-file " + at("b") +
                 " --uplink wifi --ssid 'Zur Post' --country DE --passphrase-file " + at("secret"))
                 .err == "");
  BOOST_TEST(run("--json device add c --role master --sd-file " + at("c") +
                 " --uplink apn --apn internet --apn-user u --pin-file " + at("pin"))
                 .err == "");
  BOOST_TEST(read("a").uplink.dns == (std::vector<std::string>{"192.168.1.1", "9.9.9.9"}));
  BOOST_TEST(read("a").uplink.interface == "eth0");
  BOOST_TEST(read("a").proxy.password == "0000");
  BOOST_TEST(read("b").uplink.passphrase == "pass\"word#\\");
  BOOST_TEST(read("c").uplink.pin == "0000");
}

BOOST_AUTO_TEST_CASE(what_the_device_could_not_use_is_refused_before_anything_happens) {
  check_refused(" --uplink wifi --ssid x", "rdvctl: cannot add rpi1100: --country is missing\n");
  check_refused(" --ssid x", "--ssid is not known with kind = \"dhcp\"");
  check_refused(" --uplink static --address 10.0.0.1 --gateway 10.0.0.2",
                "--address must be an IPv4 address with its prefix length, e.g. "
                "\"192.168.1.10/24\"; --dns is missing\n");
  check_refused(" --uplink cable", "--uplink must be \"dhcp\", \"static\", \"wifi\" or \"apn\"");
  check_refused(" --proxy ftp://x", "--proxy must begin with http://");
  check_refused(" --ssh-key " + at("missing.pub"), "missing.pub cannot be read");
  write("id", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
  check_refused(" --ssh-key " + at("id"), "--ssh-key is a private key");
  write("two", "one\ntwo\n");
  check_refused(" --uplink wifi --passphrase-file " + at("two"), "two must hold one line");
}

BOOST_AUTO_TEST_CASE(no_file_is_overwritten_and_none_is_left_when_there_is_no_code) {
  write("mine", "precious");
  const auto exists = run("device add rpi1100 --role onsite --sd-file " + at("mine"));
  BOOST_TEST(exists.exit_code == 1);
  BOOST_TEST(exists.err.find("mine exists already\n") != std::string::npos, exists.err);
  BOOST_TEST(tunnel::read_file(at("mine")) == "precious");
  BOOST_TEST(!knows("rpi1100"));
  const auto nowhere = run("device add rpi1100 --role onsite --sd-file /nonexistent/sd.toml");
  BOOST_TEST(nowhere.err.find("/nonexistent/sd.toml") != std::string::npos);
  BOOST_TEST(!knows("rpi1100"));

  run("device add rpi1100 --role onsite");
  const auto twice = run("device add rpi1100 --role onsite --sd-file " + at("sd.toml"));
  BOOST_TEST(twice.err.find("there is a device rpi1100 already") != std::string::npos);
  BOOST_TEST(!fs::exists(at("sd.toml")));
}

BOOST_AUTO_TEST_CASE(a_new_code_makes_a_new_file_for_the_same_device) {
  run("device add rpi2001 --role master --sd-file " + at("first"));
  BOOST_TEST(run("device code rpi2001 --sd-file " + at("second")).err == "");
  BOOST_TEST(read("second").role == "master");
  BOOST_TEST(read("second").code != read("first").code);
  const auto unknown = run("device code nobody --sd-file " + at("third"));
  BOOST_TEST(unknown.exit_code == 1);
  BOOST_TEST(!fs::exists(at("third")));
}

BOOST_AUTO_TEST_CASE(options_of_the_file_without_a_file_are_wrong_usage) {
  const auto ran = run("device add rpi1100 --role onsite --ssid x");
  BOOST_TEST(ran.exit_code == 2);
  BOOST_TEST(ran.err.find("--sd-file") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
