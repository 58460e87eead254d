// The store on a real file: what survives, what two connections see, who wins a race.
#define BOOST_TEST_MODULE server_core_store
#include "base/files.hpp"
#include "component/server/ctl_harness.hpp"
#include "crypto/hash.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <barrier>
#include <mutex>

using namespace rdv;
using namespace rdv::test;

namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;

namespace {

constexpr tunnel::UnixSeconds now = 1'768'381'920;

struct StoreFile {
  void add(Store& store, std::string_view name, const NewCode& code) {
    const auto answer = store.add({.name = wire::Name::parse(name).value(),
                                   .system = wire::Name::parse("default").value(),
                                   .role = wire::Role::onsite,
                                   .site = {},
                                   .allow = {}},
                                  code, now, 100);
    BOOST_TEST((answer == StoreAnswer::done));
  }

  TemporaryFolder folder;
  std::filesystem::path file = folder.path() / "rdv.db";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(store_file, StoreFile)

BOOST_AUTO_TEST_CASE(what_was_written_is_there_after_a_restart) {
  add(*open_sqlite_store(file, true), "rpi1100", {.secret_hash = {}, .expires = now + 60});
  {
    const auto store = open_sqlite_store(file);
    store->note_seen(wire::Name::parse("rpi1100").value(), now + 5);
  }  // an orderly end writes what was seen
  const auto devices = open_sqlite_store(file)->devices();
  BOOST_REQUIRE_EQUAL(devices.size(), 1U);
  BOOST_TEST(devices[0].last_seen == now + 5);
}

BOOST_AUTO_TEST_CASE(it_is_durable_and_keeps_its_references) {
  open_sqlite_store(file, true);
  SQLite::Database db{file.string()};
  BOOST_TEST(db.execAndGet("PRAGMA journal_mode").getString() == "wal");
  BOOST_TEST(db.execAndGet("PRAGMA user_version").getInt() == 4);
}

BOOST_AUTO_TEST_CASE(a_store_of_the_first_schema_is_brought_up_with_all_it_has) {
  add(*open_sqlite_store(file, true), "rpi1100", {.secret_hash = {}, .expires = now + 60});
  {
    SQLite::Database db{file.string(), SQLite::OPEN_READWRITE};
    db.exec("DROP TABLE sessions");                        // all that the second added
    db.exec("DROP TABLE audit_head");                      // and the third
    db.exec("ALTER TABLE devices DROP COLUMN allows_l2");  // and the fourth
    db.exec("PRAGMA user_version = 1");
  }
  const auto devices = open_sqlite_store(file)->devices();
  BOOST_REQUIRE(devices.size() == 1U);
  BOOST_TEST(!devices[0].allows_l2);
  SQLite::Database db{file.string()};
  BOOST_TEST(db.execAndGet("PRAGMA user_version").getInt() == 4);
  BOOST_TEST(db.execAndGet("SELECT count(*) FROM sessions").getInt() == 0);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_audit_is_noted_and_read_beside_the_server) {
  const auto store = open_sqlite_store(file, true);
  BOOST_TEST((store->audit_head() == AuditHead{}));
  BOOST_TEST((read_audit_head(file) == AuditHead{}));
  const AuditHead head{.sequence = 7, .hash = {std::byte{0x3f}}};
  store->note_audit_head({.sequence = 6});
  store->note_audit_head(head);
  BOOST_TEST((store->audit_head() == head));
  BOOST_TEST((read_audit_head(file) == head));
  BOOST_CHECK_THROW(read_audit_head(folder.path() / "none"), StoreError);
}

BOOST_AUTO_TEST_CASE(a_session_that_cannot_be_read_is_removed_and_stops_nobody) {
  open_sqlite_store(file, true);
  SQLite::Database{file.string(), SQLite::OPEN_READWRITE}.exec(
      "INSERT INTO sessions VALUES ('00000000000000ff', 'm', 'o', 1, x'0102', 60, 1, 2)");
  BOOST_TEST(open_sqlite_store(file)->kept_sessions().empty());
  SQLite::Database db{file.string()};
  BOOST_TEST(db.execAndGet("SELECT count(*) FROM sessions").getInt() == 0);
}

BOOST_AUTO_TEST_CASE(a_store_that_is_not_there_or_is_none_or_is_newer_is_refused) {
  BOOST_CHECK_THROW(open_sqlite_store(file), StoreError);
  tunnel::write_file_durably(folder.path() / "text", std::string(5000, 'x'), 0600);
  BOOST_CHECK_THROW(open_sqlite_store(folder.path() / "text"), StoreError);
  open_sqlite_store(file, true);
  SQLite::Database{file.string(), SQLite::OPEN_READWRITE}.exec("PRAGMA user_version = 99");
  try {
    open_sqlite_store(file);
    BOOST_ERROR("a newer store was opened");
  } catch (const StoreError& e) {
    BOOST_TEST((std::string{e.what()}.find("it has schema version 99, this program knows 4") !=
                std::string::npos));
  }
}

BOOST_AUTO_TEST_CASE(of_twenty_that_use_one_code_at_once_one_gets_a_certificate) {
  struct Door {
    std::unique_ptr<Store> store;
    std::unique_ptr<Enrolment> enrolment;
    std::mutex mutex{};
  };
  const auto authority = crypto::Authority::create(now);
  Door doors[2];
  for (auto& door : doors) {
    door.store = open_sqlite_store(file, true);
    door.enrolment = std::make_unique<Enrolment>(*door.store, authority, "grant key");
  }
  const auto fresh = doors[0].enrolment->make_code("rdv.example.com:443", now);
  add(*doors[0].store, "rpi1100", fresh.stored);

  constexpr int racers = 20;
  std::barrier start{racers};
  std::mutex results_mutex;
  std::vector<wire::EnrollMessage> results;
  std::vector<std::thread> threads;
  for (int i = 0; i < racers; ++i)
    threads.emplace_back([&, i] {
      const auto key = crypto::Key::generate();
      const wire::Enroll request{.secret = fresh.code.secret,
                                 .csr = crypto::make_csr(key),
                                 .hostname = {},
                                 .software = {}};
      start.arrive_and_wait();
      auto& door = doors[i % 2];
      std::unique_lock lock{door.mutex};
      auto outcome = door.enrolment->enroll(request, "198.51.100.7", now);
      lock.unlock();
      const std::lock_guard guard{results_mutex};
      results.push_back(std::move(outcome.reply));
    });
  for (auto& thread : threads)
    thread.join();

  std::size_t used = 0;
  std::optional<crypto::Certificate> won;
  for (const auto& result : results) {
    if (const auto* enrolled = std::get_if<wire::Enrolled>(&result)) {
      BOOST_TEST(!won.has_value());
      won = crypto::Certificate::from_pem(tunnel::as_text(enrolled->certificate));
    } else {
      const auto& refused = std::get<wire::EnrollRefused>(result);
      BOOST_TEST((refused.code == wire::RefusalCode::code_used), refused.text);
      ++used;
    }
  }
  BOOST_TEST(used == racers - 1U);
  BOOST_REQUIRE(won);
  const auto record = doors[1].store->find(wire::Name::parse("rpi1100").value()).value();
  BOOST_TEST((record.key_hash == won->key_hash()));
}

BOOST_AUTO_TEST_SUITE_END()
