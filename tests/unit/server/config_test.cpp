#include "config.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>

using namespace rdv;

namespace {

constexpr char address_line[] = "public_address = \"rdv.example.com:443\"\n";

/// What is wrong with a file of `text` below a good first line.
std::string error_of(std::string_view text) {
  try {
    parse_config(address_line + std::string{text}, "server.toml");
    return "nothing";
  } catch (const ConfigError& e) {
    return e.what();
  }
}

bool begins(const std::string& text, std::string_view with) {
  return text.starts_with(with);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(the_shipped_example_holds_every_default) {
  std::ifstream in{RDV_EXAMPLE_CONFIG};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  const auto example = parse_config(text, "server.toml.example");
  const Config defaults;
  BOOST_TEST((example.listen == defaults.listen));
  BOOST_TEST(example.public_address == "rdv.example.com:443");
  BOOST_TEST(example.state_dir == defaults.state_dir);
  BOOST_TEST((example.limits == defaults.limits));
  BOOST_TEST((audit_dir(example) == audit_dir(defaults)));
  BOOST_TEST((example.audit.when_full == defaults.audit.when_full));
  BOOST_TEST(example.audit.file_mb == defaults.audit.file_mb);
  BOOST_TEST((example.log_level == defaults.log_level));
  for (const auto* key :
       {"half_open =", "half_open_per_address =", "devices =", "connections =", "sessions =",
        "waiting =", "session_seconds =", "session_seconds_max =", "ping_after_seconds =",
        "relay_idle_seconds =", "dir =", "when_full =", "file_mb =", "level ="})
    BOOST_TEST((text.find(key) != std::string::npos), key);
}

BOOST_AUTO_TEST_CASE(values_are_read) {
  const auto config = parse_config(
      "listen = [\"203.0.113.10:8443\", \"[2001:db8::1]:443\"]\n"
      "public_address = \"[2001:db8::1]:443\"\n"
      "state_dir = \"/srv/rdv\"\n"
      "[limits]\nsessions = 3\nsession_seconds = 60\n"
      "[log]\nlevel = \"debug\"\n",
      "server.toml");
  BOOST_REQUIRE_EQUAL(config.listen.size(), 2U);
  BOOST_TEST(config.listen[0].str() == "203.0.113.10:8443");
  BOOST_TEST(config.listen[1].str() == "[2001:db8::1]:443");
  BOOST_TEST(config.public_address == "[2001:db8::1]:443");
  BOOST_TEST(config.state_dir == "/srv/rdv");
  BOOST_TEST(config.limits.sessions == 3U);
  BOOST_TEST((config.log_level == tunnel::log::Level::debug));
}

BOOST_AUTO_TEST_CASE(the_audit_is_configured) {
  constexpr std::string_view address = "public_address = \"rdv.example.com:443\"\n";
  const auto plain = parse_config(std::string{address} + "state_dir = \"/srv/rdv\"", "server.toml");
  BOOST_TEST((audit_dir(plain) == "/srv/rdv/audit"));
  BOOST_TEST((plain.audit.when_full == WhenFull::continue_));
  const auto strict = parse_config(
      std::string{address} + "[audit]\ndir = \"/srv/a\"\nwhen_full = \"refuse\"\nfile_mb = 1",
      "server.toml");
  BOOST_TEST((audit_dir(strict) == "/srv/a"));
  BOOST_TEST((strict.audit.when_full == WhenFull::refuse));
  BOOST_TEST(strict.audit.file_mb == 1U);
}

BOOST_AUTO_TEST_CASE(an_unknown_key_is_an_error_that_names_its_line) {
  BOOST_TEST(begins(error_of("lisen = []"), "server.toml:2: `lisen` is not a key of this file"));
  BOOST_TEST(begins(error_of("[limits]\nhalf_opn = 1"),
                    "server.toml:3: `limits.half_opn` is not a key of this file"));
  BOOST_TEST(begins(error_of("[logs]\n"), "server.toml:2: `logs` is not a key"));
}

BOOST_AUTO_TEST_CASE(a_value_of_the_wrong_kind_is_an_error_that_names_its_line) {
  BOOST_TEST(error_of("state_dir = 5") == "server.toml:2: `state_dir` must be a text in quotes");
  BOOST_TEST(error_of("state_dir = \"here\"") ==
             "server.toml:2: `state_dir` must be an absolute path");
  BOOST_TEST(error_of("\nlimits = 3") == "server.toml:3: `limits` must be a table: [limits]");
  BOOST_TEST(error_of("[limits]\nsessions = \"many\"") ==
             "server.toml:3: `limits.sessions` must be a whole number from 1 to 8192");
  BOOST_TEST(error_of("[limits]\nsessions = 0") ==
             "server.toml:3: `limits.sessions` must be a whole number from 1 to 8192");
  BOOST_TEST(error_of("[limits]\nping_after_seconds = 5") ==
             "server.toml:3: `limits.ping_after_seconds` must be a whole number from 20 to 300");
  BOOST_TEST(error_of("[audit]\nwhen_full = \"stop\"") ==
             "server.toml:3: `audit.when_full` must be continue or refuse");
  BOOST_TEST(error_of("[audit]\ndir = \"audit\"") ==
             "server.toml:3: `audit.dir` must be an absolute path");
  BOOST_TEST(error_of("[log]\nlevel = \"loud\"") ==
             "server.toml:3: `log.level` must be debug, info, warn or error");
  BOOST_TEST(
      begins(error_of("listen = \"0.0.0.0:443\""), "server.toml:2: `listen` must be a list"));
  BOOST_TEST(begins(error_of("listen = [\"example.com:443\"]"), "server.toml:2: `listen` must be"));
  BOOST_TEST(begins(error_of("listen = [\"0.0.0.0:99999\"]"),
                    "server.toml:2: `listen` has no valid port"));
  BOOST_TEST(begins(error_of("= 3"), "server.toml:2: "));
}

BOOST_AUTO_TEST_CASE(the_public_address_must_be_there_and_good) {
  BOOST_CHECK_THROW(parse_config("", "server.toml"), ConfigError);
  for (const auto* bad : {"rdv", "rdv:", ":443", "rdv:0", "rdv:65536", "2001:db8::1:443",
                          "[rdv]:443", "r dv:443", "rdv:443x", "[::1:443"})
    BOOST_CHECK_THROW(parse_config("public_address = \"" + std::string{bad} + "\"", "server.toml"),
                      ConfigError);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_named) {
  try {
    load_config("/nonexistent/server.toml");
    BOOST_ERROR("no exception");
  } catch (const ConfigError& e) {
    BOOST_TEST(std::string{e.what()} ==
               "/nonexistent/server.toml: cannot be read: No such file or directory");
  }
}

BOOST_AUTO_TEST_SUITE_END()
