#define BOOST_TEST_MODULE agent_identity
#include "agent/dial.hpp"
#include "agent/identity.hpp"
#include "support/memory_tls.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <optional>
#include <unistd.h>

using namespace device;
namespace fs = std::filesystem;

namespace {

constexpr std::array names{"device.key", "device.pem", "ca.pem", "grant.pub", "identity.toml"};

/// An empty state folder, and two identities that may be stored in it.
struct Folder {
  Folder() {
    std::string pattern = fs::temp_directory_path() / "rdv-identity-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }

  IdentityStore store() const { return IdentityStore{path}; }
  /// How many files there are.
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator{path}, fs::directory_iterator{}));
  }

  fs::path path;
};

Identity identity(const std::string& name) {
  const tunnel::test::World world;
  auto made = world.device("onsite", name, tunnel::unix_now(), 90 * tunnel::test::day);
  return {.self = made.identity,
          .server = "rdv.example.com:443",
          .key = std::move(made.key),
          .certificate = std::move(made.certificate),
          .ca = crypto::Certificate::from_pem(world.ca().pem()),
          .grant_key = crypto::Key::public_from_pem(crypto::Key::generate().public_pem())};
}

/// The files of a whole identity, as a finished store() leaves them.
std::array<std::string, names.size()> texts_of(const Identity& id) {
  const Folder scratch;
  scratch.store().store(id);
  std::array<std::string, names.size()> texts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::ifstream in{scratch.path / names[i]};
    texts[i].assign(std::istreambuf_iterator<char>{in}, {});
  }
  return texts;
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream{path} << text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_empty_folder_is_a_device_that_is_not_enrolled) {
  const Folder folder;
  BOOST_TEST(!folder.store().load());
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_loaded_and_the_key_is_private) {
  const Folder folder;
  const auto id = identity("rpi1100");
  folder.store().store(id);
  const auto loaded = folder.store().load();
  BOOST_REQUIRE(loaded);
  BOOST_CHECK(loaded->self == id.self);
  BOOST_TEST(loaded->server == id.server);
  BOOST_CHECK(loaded->key.hash() == id.key.hash());
  BOOST_CHECK(loaded->grant_key.hash() == id.grant_key.hash());
  struct stat status {};
  BOOST_REQUIRE(::stat((folder.path / "device.key").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777U) == 0600U);
  BOOST_TEST(folder.count() == names.size());
}

BOOST_AUTO_TEST_CASE(a_crash_at_any_step_leaves_the_old_identity_or_the_new_one) {
  const auto before = identity("rpi1100");
  const auto after = identity("rpi1101");
  const auto texts = texts_of(after);
  // Steps: each *.new written, then the marker, then each renamed.
  for (std::size_t crash = 0; crash <= 2 * names.size() + 1; ++crash) {
    const Folder folder;
    folder.store().store(before);
    const bool marked = crash > names.size();
    for (std::size_t i = 0; i < std::min(crash, names.size()); ++i)
      write(folder.path / (std::string{names[i]} + ".new"), texts[i]);
    if (marked) write(folder.path / "enrolled.new", "");
    for (std::size_t i = 0; marked && i < crash - names.size() - 1; ++i)
      fs::rename(folder.path / (std::string{names[i]} + ".new"), folder.path / names[i]);
    const auto loaded = folder.store().load();
    BOOST_REQUIRE(loaded);
    BOOST_TEST(loaded->self.name.str() == (marked ? "rpi1101" : "rpi1100"), "crash " << crash);
    BOOST_TEST(folder.count() == names.size());
  }
}

BOOST_AUTO_TEST_CASE(a_renewed_certificate_takes_the_old_ones_place) {
  const Folder folder;
  const tunnel::test::World world;
  auto id = identity("rpi1100");
  folder.store().store(id);
  const auto renewed =
      world.authority.issue_device(id.key, id.self, tunnel::unix_now(), 180 * tunnel::test::day);
  folder.store().store_certificate(renewed);
  BOOST_TEST(folder.store().load()->certificate.not_after() == renewed.not_after());
}

BOOST_AUTO_TEST_CASE(files_that_do_not_belong_together_are_refused_with_a_sentence) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  write(folder.path / "device.key", crypto::Key::generate().private_pem());
  BOOST_CHECK_EXCEPTION((void)folder.store().load(), IdentityError, [](const auto& error) {
    return std::string{error.what()}.find("does not belong") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(damaged_files_are_refused) {
  for (const auto* name : names) {
    const Folder folder;
    folder.store().store(identity("rpi1100"));
    write(folder.path / name, "name = \"Not A Name\"\n");
    BOOST_CHECK_THROW((void)folder.store().load(), IdentityError);
  }
}

BOOST_AUTO_TEST_CASE(a_server_is_a_host_and_perhaps_a_port) {
  const auto host = [](std::string_view text) { return HostPort::parse(text); };
  BOOST_TEST(host("rdv.example.com")->port == "443");
  BOOST_TEST(host("rdv.example.com:8443")->port == "8443");
  BOOST_TEST(host("[2001:db8::1]:443")->host == "2001:db8::1");
  BOOST_TEST(host("[2001:db8::1]")->port == "443");
  for (const auto* bad :
       {"", ":443", "host:", "host:a", "host:123456", "[::1", "[::1]443", "a:1:2"})
    BOOST_TEST(!host(bad), bad);
}
