// rdvctl init: the keys and the store of a new server, without a daemon.
#define BOOST_TEST_MODULE server_ctl_init
#include "base/files.hpp"
#include "component/server/ctl_harness.hpp"
#include "own_files.hpp"
#include "pki.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <pwd.h>
#include <unistd.h>

using namespace rdv;
using namespace rdv::test;

namespace fs = std::filesystem;

namespace {

struct NewServer {
  Ran init(const std::string& more = "") {
    return rdvctl(folder.path(), "--config " + config.string() + " init " + more);
  }
  void write_config(const std::string& text) { tunnel::write_file_durably(config, text, 0644); }
  std::string good_config() const {
    return "public_address = \"203.0.113.10:8443\"\nstate_dir = \"" + state.string() + "\"\n";
  }

  TemporaryFolder folder;
  fs::path config = folder.path() / "server.toml";
  fs::path state = folder.path() / "state";
};

struct stat status_of(const fs::path& file) {
  struct stat status {};
  BOOST_TEST(::stat(file.c_str(), &status) == 0, file);
  return status;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(init, NewServer)

BOOST_AUTO_TEST_CASE(it_makes_all_keys_and_the_store_readable_by_their_owner_only) {
  write_config(good_config());
  const auto ran = init();
  BOOST_TEST(ran.exit_code == 0, ran.err);
  const StatePaths paths{state};
  const auto keys = load_keys(paths);
  BOOST_TEST((keys.grant_key.hash() ==
              tunnel::crypto::Key::public_from_pem(tunnel::read_file(paths.grant_public)).hash()));
  BOOST_TEST((ran.out.find(tunnel::to_hex(keys.authority.certificate().fingerprint())) !=
              std::string::npos));
  BOOST_TEST(open_sqlite_store(paths.store)->devices().empty());
  for (const auto& secret : {paths.ca_key, paths.server_key, paths.grant_key, paths.store})
    BOOST_TEST((status_of(secret).st_mode & 0777U) == 0600U, secret);
  BOOST_TEST((status_of(state).st_mode & 0777U) == 0700U);
}

BOOST_AUTO_TEST_CASE(a_key_that_the_service_manager_gives_goes_before_the_one_in_the_state) {
  write_config(good_config());
  BOOST_TEST(init().exit_code == 0);
  const StatePaths paths{state};
  const auto credentials = folder.path() / "credentials";
  fs::create_directory(credentials);
  fs::rename(paths.ca_key, credentials / "ca.key");
  const auto given = tunnel::crypto::Key::generate();
  tunnel::write_file_durably(credentials / "grant.key", given.private_pem(), 0600);
  const auto keys = load_keys(paths, credentials);
  BOOST_TEST((keys.grant_key.hash() == given.hash()));
  BOOST_CHECK_THROW(load_keys(paths), std::system_error);  // no ca.key
}

BOOST_AUTO_TEST_CASE(as_root_everything_belongs_to_the_user_rdv) {
  const auto* user = ::getpwnam(server_user);
  if (::geteuid() != 0 || user == nullptr) return;  // nobody to give it to
  write_config(good_config());
  BOOST_TEST(init().exit_code == 0);
  for (const auto& entry : fs::directory_iterator{state})
    BOOST_TEST(status_of(entry.path()).st_uid == user->pw_uid, entry.path());
  BOOST_TEST(status_of(state).st_uid == user->pw_uid);
}

BOOST_AUTO_TEST_CASE(an_existing_ca_is_never_overwritten) {
  write_config(good_config());
  init();
  const auto before = tunnel::read_file(state / "ca.key");
  const auto ran = init();
  BOOST_TEST(ran.exit_code == 1);
  BOOST_TEST(ran.err == "rdvctl: cannot initialise the server: " + (state / "ca.key").string() +
                            " exists already: this server is set up, and every enrolled device "
                            "trusts its keys\n"
                            "rdvctl: to begin anew and lose all devices, stop rdv-server and "
                            "remove " +
                            state.string() + "\n");
  BOOST_TEST(tunnel::read_file(state / "ca.key") == before);
}

BOOST_AUTO_TEST_CASE(what_the_configuration_and_the_option_say_must_agree) {
  write_config(good_config());
  const auto ran = init("--address 198.51.100.1:443");
  BOOST_TEST(ran.exit_code == 1);
  BOOST_TEST(
      (ran.err.find("says public_address = \"203.0.113.10:8443\", --address says "
                    "198.51.100.1:443\nrdvctl: change one of the two\n") != std::string::npos));
  BOOST_TEST(init("--address 203.0.113.10:8443").exit_code == 0);
}

BOOST_AUTO_TEST_CASE(without_configuration_and_address_it_asks_for_one) {
  const auto ran = init();
  BOOST_TEST(ran.exit_code == 1);
  BOOST_TEST(ran.err == "rdvctl: cannot initialise the server: " + config.string() +
                            " does not exist\n"
                            "rdvctl: say how devices reach this server: rdvctl init --address "
                            "HOST:PORT\n");
  BOOST_TEST(init("--address nonsense").exit_code == 1);
  BOOST_TEST(!fs::exists(config));
}

BOOST_AUTO_TEST_CASE(a_wrong_configuration_names_its_line) {
  write_config(good_config() + "lisen = []\n");
  const auto ran = init();
  BOOST_TEST(ran.exit_code == 1);
  BOOST_TEST(
      (ran.err.find("server.toml:3: `lisen` is not a key of this file") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(the_first_configuration_is_one_the_server_reads) {
  const auto text = first_config({"rdv.example.com", 8443}, "/var/lib/rdv");
  const auto first = parse_config(text, "server.toml");
  BOOST_TEST(first.public_address == "rdv.example.com:8443");
  BOOST_TEST(first.listen.front().str() == "0.0.0.0:8443");
  BOOST_TEST(first.state_dir == "/var/lib/rdv");
}

BOOST_AUTO_TEST_CASE(json_says_the_same) {
  write_config(good_config());
  const auto ran = init("--json");
  const auto facts = nlohmann::json::parse(ran.out);
  BOOST_TEST(facts["public_address"] == "203.0.113.10:8443");
  BOOST_TEST(facts["state_dir"] == state.string());
}

BOOST_AUTO_TEST_SUITE_END()
