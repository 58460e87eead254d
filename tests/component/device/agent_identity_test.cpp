#define BOOST_TEST_MODULE agent_identity
#include "agent/dial.hpp"
#include "agent/identity.hpp"
#include "agent/identity_text.hpp"
#include "support/memory_tls.hpp"
#include "support/temporary_folder.hpp"
#include "support/traced_child.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <unistd.h>

using namespace device;
namespace fs = std::filesystem;

namespace {

constexpr auto& names = IdentityStore::names;

/// An empty state folder, and two identities that may be stored in it.
struct Folder {
  IdentityStore store() const { return IdentityStore{path}; }
  /// How many files there are.
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator{path}, fs::directory_iterator{}));
  }

  tunnel::test::TemporaryFolder folder;
  fs::path path = folder.path();
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

std::string read(const fs::path& path) {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream{path} << text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_empty_folder_is_a_device_that_is_not_enrolled) {
  const Folder folder;
  BOOST_TEST(!folder.store().load());
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_loaded_and_both_copies_are_private) {
  const Folder folder;
  const auto id = identity("rpi1100");
  folder.store().store(id);
  const auto loaded = folder.store().load();
  BOOST_REQUIRE(loaded);
  BOOST_CHECK(loaded->self == id.self);
  BOOST_TEST(loaded->server == id.server);
  BOOST_CHECK(loaded->key.hash() == id.key.hash());
  BOOST_CHECK(loaded->ca.fingerprint() == id.ca.fingerprint());
  BOOST_CHECK(loaded->grant_key.hash() == id.grant_key.hash());
  for (const auto* name : names) {
    struct stat status {};
    BOOST_REQUIRE(::stat((folder.path / name).c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777U) == 0600U);
  }
  BOOST_TEST(folder.count() == names.size());
}

BOOST_AUTO_TEST_CASE(the_key_to_enrol_with_stays_until_an_identity_is_stored_or_it_is_refused) {
  const Folder folder;
  const auto key = folder.store().enrolling_key();
  BOOST_CHECK(folder.store().enrolling_key().hash() == key.hash());
  struct stat status {};
  BOOST_REQUIRE(::stat((folder.path / "enrolling.key").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777U) == 0600U);
  folder.store().forget_enrolling_key();
  BOOST_TEST(folder.count() == 0U);
  const auto next = folder.store().enrolling_key();
  BOOST_CHECK(next.hash() != key.hash());
  auto id = identity("rpi1100");
  id.key = crypto::Key::private_from_pem(next.private_pem());
  folder.store().store(id);
  BOOST_TEST(folder.count() == names.size());
  // As after a power cut between the two: it is the key of an identity, and of no other one.
  write(folder.path / "enrolling.key", next.private_pem());
  BOOST_CHECK(folder.store().enrolling_key().hash() != next.hash());
  write(folder.path / "enrolling.key", "damaged");
  BOOST_CHECK_NO_THROW(folder.store().enrolling_key());
}

BOOST_AUTO_TEST_CASE(a_power_cut_at_any_system_call_leaves_the_old_identity_or_the_new_one) {
  const Folder before;
  before.store().store(identity("rpi1100"));
  const auto after = identity("rpi1101");
  int old_ones = 0, new_ones = 0;
  std::size_t kill_at = 0;
  for (bool finished = false; !finished; ++kill_at) {
    const Folder folder;
    fs::copy(before.path, folder.path, fs::copy_options::recursive);
    const auto child = tunnel::test::trace_child([&] { folder.store().store(after); }, kill_at);
    finished = child.finished;
    const auto loaded = folder.store().load();
    BOOST_REQUIRE(loaded);
    const bool is_new = loaded->self.name.str() == "rpi1101";
    BOOST_TEST((is_new || loaded->self.name.str() == "rpi1100"));
    BOOST_TEST((is_new || !finished), "what was stored is not there");
    ++(is_new ? new_ones : old_ones);
    // load() has made the copies alike, so that losing either loses nothing.
    BOOST_TEST(read(folder.path / names[0]) == read(folder.path / names[1]));
  }
  BOOST_TEST(old_ones > 5);
  BOOST_TEST(new_ones > 5);
  BOOST_TEST_MESSAGE("killed at each of " << kill_at - 1 << " system calls");
}

BOOST_AUTO_TEST_CASE(a_copy_is_on_the_disk_before_it_takes_its_place_and_before_the_next_is_begun) {
  const Folder folder;
  const auto id = identity("rpi1100");
  const auto child = tunnel::test::trace_child([&] { folder.store().store(id); }, std::nullopt);
  BOOST_REQUIRE(child.finished);
  std::string order;
  for (const auto call : child.called) {
    if (call == SYS_write) order += "write ";
    if (call == SYS_fsync) order += "sync ";
    if (call == SYS_renameat || call == SYS_renameat2) order += "rename ";
#ifdef SYS_rename
    if (call == SYS_rename) order += "rename ";
#endif
  }
  BOOST_TEST(order == "write sync rename sync write sync rename sync ");
}

BOOST_AUTO_TEST_CASE(a_torn_copy_is_replaced_by_the_other_one) {
  for (const std::size_t torn : {0U, 1U}) {
    const Folder folder;
    folder.store().store(identity("rpi1100"));
    const auto whole = read(folder.path / names[torn]);
    for (std::size_t length = 0; length < whole.size(); length += 61) {
      write(folder.path / names[torn], whole.substr(0, length));
      const auto loaded = folder.store().load();
      BOOST_REQUIRE(loaded);
      BOOST_TEST(loaded->self.name.str() == "rpi1100");
      BOOST_TEST(read(folder.path / names[torn]) == whole, "cut off at " << length);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_copy_with_one_wrong_byte_is_replaced_by_the_other_one) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  const auto whole = read(folder.path / names[0]);
  for (std::size_t at = 0; at < whole.size(); at += 53) {
    auto wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    write(folder.path / names[0], wrong);
    BOOST_REQUIRE(folder.store().load());
    BOOST_TEST(read(folder.path / names[0]) == whole, "wrong at " << at);
  }
}

BOOST_AUTO_TEST_CASE(a_lost_copy_is_made_anew_and_the_newer_of_two_counts) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  const auto old = read(folder.path / names[1]);
  folder.store().store(identity("rpi1101"));
  fs::remove(folder.path / names[0]);
  BOOST_TEST(folder.store().load()->self.name.str() == "rpi1101");
  BOOST_TEST(folder.count() == names.size());
  for (const auto* name : names) {
    write(folder.path / name, old);
    BOOST_TEST(folder.store().load()->self.name.str() == "rpi1101");
  }
}

BOOST_AUTO_TEST_CASE(loading_what_is_whole_writes_nothing) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  const auto child = tunnel::test::trace_child([&] { (void)folder.store().load(); }, std::nullopt);
  BOOST_REQUIRE(child.finished);
  BOOST_TEST(std::ranges::count(child.called, SYS_write) == 0);
  BOOST_TEST(std::ranges::count(child.called, SYS_fsync) == 0);
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

BOOST_AUTO_TEST_CASE(parts_that_do_not_belong_together_are_refused) {
  auto id = identity("rpi1100");
  id.key = crypto::Key::generate();
  BOOST_CHECK_THROW((void)parse_identity(to_text(id, 1)), IdentityError);
  auto other = identity("rpi1100");
  other.self.name = *wire::Name::parse("rpi1101");
  BOOST_CHECK_THROW((void)parse_identity(to_text(other, 1)), IdentityError);
}

BOOST_AUTO_TEST_CASE(two_damaged_copies_are_refused_with_a_sentence_that_names_one) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  for (const auto* name : names)
    write(folder.path / name, "name = \"Not A Name\"\n");
  BOOST_CHECK_EXCEPTION((void)folder.store().load(), IdentityError, [](const auto& error) {
    return std::string{error.what()}.find("identity.1: it is cut off") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_store_that_fails_changes_nothing) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  // What stands in the way of both files' temporary ones.
  for (const auto* name : names)
    fs::create_directory(folder.path / (std::string{name} + ".new"));
  BOOST_CHECK_THROW(folder.store().store(identity("rpi1101")), IdentityError);
  BOOST_TEST(folder.store().load()->self.name.str() == "rpi1100");
}

BOOST_AUTO_TEST_CASE(one_copy_that_cannot_be_written_is_no_reason_not_to_change_or_to_start) {
  const Folder folder;
  folder.store().store(identity("rpi1100"));
  fs::create_directory(folder.path / (std::string{names[1]} + ".new"));
  folder.store().store(identity("rpi1101"));
  BOOST_TEST(folder.store().load()->self.name.str() == "rpi1101");
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
