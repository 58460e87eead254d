#define BOOST_TEST_MODULE server_audit_log
#include "audit/log.hpp"
#include "component/server/audit_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace rdv;
using namespace rdv::test;

namespace fs = std::filesystem;
namespace wire = tunnel::wire;

namespace {

struct LogFixture {
  explicit LogFixture(WhenFull when_full = WhenFull::continue_) : when_full_{when_full} { start(); }

  fs::path folder() const { return temporary.path() / "audit"; }
  void start() {
    log.emplace(AuditFiles::Settings{.folder = folder(), .room_bytes = 64 * 1024}, when_full_,
                *store, [this] { ++changes; });
  }
  void note(int count = 1) {
    for (int i = 0; i < count; ++i)
      log->note({.kind = Event::Kind::closed, .session = 7});
  }
  /// As the server does it, without its thread.
  void sync() {
    const auto file = log->begin_sync();
    BOOST_REQUIRE(file);
    log->end_sync("");
  }
  std::string end_of_disk() const { return log->status().trouble; }
  /// Until the room that was set aside is used up and records wait.
  void use_up_room() {
    for (int i = 0; i < 2'000 && log->status().waiting == 0; ++i)
      note();
    BOOST_REQUIRE(log->status().waiting > 0);
  }

  WhenFull when_full_;
  TemporaryFolder temporary;
  SmallDisk disk{temporary.path() / "audit", 4 * 1024 * 1024};
  std::unique_ptr<Store> store = open_sqlite_store(in_memory, true);
  int changes = 0;
  std::optional<AuditLog> log;
};

struct RefusingFixture : LogFixture {
  RefusingFixture() : LogFixture{WhenFull::refuse} {}
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(well, LogFixture)

BOOST_AUTO_TEST_CASE(what_is_audited_is_written_and_what_is_not_is_not) {
  BOOST_TEST(log->open());
  log->note({.kind = Event::Kind::connected, .device = "rpi1100"});
  log->note({.kind = Event::Kind::device_added, .device = "rpi1100", .user = "alice (uid 1000)"});
  BOOST_REQUIRE_EQUAL(records(folder()).size(), 1U);
  BOOST_TEST(records(folder())[0].field("user") == "alice (uid 1000)");
  BOOST_TEST(log->status().head.sequence == 1U);
  BOOST_TEST(changes == 0);
}

BOOST_AUTO_TEST_CASE(the_end_is_noted_in_the_store_once_it_is_on_the_disk) {
  (void)log->open();
  BOOST_TEST(!log->needs_sync());
  note(2);
  BOOST_TEST(log->needs_sync());
  log->keep_house();
  BOOST_TEST(store->audit_head().sequence == 0U);
  sync();
  BOOST_TEST(!log->needs_sync());
  log->keep_house();
  BOOST_TEST((store->audit_head() == log->status().head));
  note();
  log->close();
  BOOST_TEST(store->audit_head().sequence == 3U);
  BOOST_TEST(broken(folder(), {store->audit_head()}) == "");
}

BOOST_AUTO_TEST_CASE(a_server_that_did_not_stop_in_order_is_noticed_by_the_next) {
  BOOST_TEST(log->open());
  note();
  start();
  BOOST_TEST(!log->open());
  log->note({.kind = Event::Kind::server_stopped});
  start();
  BOOST_TEST(log->open());
}

BOOST_AUTO_TEST_CASE(a_torn_record_is_removed_and_a_record_says_so) {
  (void)log->open();
  note(2);
  log.reset();
  {
    const tunnel::UniqueFd file{
        ::open(audit_files(folder()).back().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
    BOOST_REQUIRE(::write(file.get(), "{\"seq\":3", 8) == 8);
  }
  start();
  (void)log->open();
  BOOST_TEST((words(folder()) ==
              std::vector<std::string>{"session_closed", "session_closed", "audit_repaired"}));
  BOOST_TEST(records(folder()).back().field("count") == "8");
  BOOST_TEST(broken(folder()) == "");
}

BOOST_AUTO_TEST_CASE(records_that_were_cut_off_stay_missing) {
  (void)log->open();
  note(5);
  sync();
  log->keep_house();
  log.reset();
  const auto file = audit_files(folder()).back();
  const auto line_bytes = fs::file_size(file) / 5;
  fs::resize_file(file, 3 * line_bytes);
  start();
  (void)log->open();
  BOOST_TEST(log->status().head.sequence == 6U);
  BOOST_TEST(records(folder()).back().what == "audit_broken");
  BOOST_TEST(records(folder()).back().field("reason") ==
             "record 5 was noted, record 3 is the last one there");
  BOOST_TEST(broken(folder()) == "records 4 to 5 are missing: record 6 follows record 3");
}

BOOST_AUTO_TEST_CASE(a_disk_that_does_not_take_what_was_written_is_an_alarm_until_it_does) {
  (void)log->open();
  note();
  BOOST_REQUIRE(log->begin_sync());
  log->end_sync("cannot write the audit to the disk: Input/output error");
  BOOST_TEST(end_of_disk() == "cannot write the audit to the disk: Input/output error");
  BOOST_TEST(log->needs_sync());
  sync();
  BOOST_TEST(end_of_disk() == "");
  BOOST_TEST(changes == 2);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(full, LogFixture)

BOOST_AUTO_TEST_CASE(there_is_an_alarm_before_anything_waits_and_it_ends_by_itself) {
  (void)log->open();
  note();
  disk.fill();
  while (end_of_disk().empty() && log->status().head.sequence < 2'000)
    note();
  BOOST_TEST(end_of_disk() == "cannot set room aside for the audit: No space left on device");
  BOOST_TEST(log->status().waiting == 0U);
  BOOST_TEST(log->status().since > 0);
  BOOST_TEST(changes == 1);
  BOOST_TEST(words(folder()).back() == "audit_alarm");
  BOOST_TEST(log->refusal() == "");
  disk.free();
  log->keep_house();
  BOOST_TEST(end_of_disk() == "");
  BOOST_TEST(changes == 2);
  BOOST_TEST(words(folder()).back() == "audit_gap");
  BOOST_TEST(records(folder()).back().field("count") == "0");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_waits_and_what_does_not_fit_is_counted) {
  (void)log->open();
  note();
  disk.fill();
  use_up_room();
  const auto written = log->status().head.sequence;
  note(static_cast<int>(AuditQueue::waiting_max) + 4);
  BOOST_TEST(log->status().waiting == AuditQueue::waiting_max);
  BOOST_TEST(log->status().lost == 5U);
  BOOST_TEST(log->status().head.sequence == written);
  disk.free();
  log->keep_house();
  BOOST_TEST(log->status().waiting == 0U);
  BOOST_TEST(log->status().head.sequence == written + AuditQueue::waiting_max + 1);
  const auto gap = records(folder()).back();
  BOOST_TEST(gap.what == "audit_gap");
  BOOST_TEST(gap.field("count") == "5");
  BOOST_TEST(broken(folder(), {log->status().head}) == "");
}

BOOST_AUTO_TEST_CASE(a_server_starts_on_a_full_disk_and_begins_its_audit_when_there_is_room) {
  disk.fill();
  BOOST_TEST(log->open());
  note();
  BOOST_TEST(!end_of_disk().empty());
  BOOST_TEST(log->status().waiting == 2U);
  disk.free();
  log->keep_house();
  BOOST_TEST(
      (words(folder()) == std::vector<std::string>{"session_closed", "audit_alarm", "audit_gap"}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(store_on_a_full_disk)

BOOST_AUTO_TEST_CASE(
    what_cannot_be_written_is_written_when_there_is_room_and_what_is_waited_for_is_undone) {
  const auto name = [](std::string_view text) { return wire::Name::parse(text).value(); };
  TemporaryFolder temporary;
  SmallDisk disk{temporary.path() / "state", 1024 * 1024};
  const auto file = temporary.path() / "state" / "rdv.db";
  const auto store = open_sqlite_store(file, true);
  const KeptSession session{
      .grant = {.session = 7,
                .epoch = 1,
                .master = {name("rpi2001"), {}},
                .onsite = {name("rpi1100"), {}},
                .system = name("default"),
                .allow = {{tunnel::Ipv4Prefix::parse("192.168.1.0/24").value()}},
                .seconds = 100,
                .server_time = 1,
                .tunnel = tunnel::Ipv4Prefix::parse("192.168.128.4/30").value(),
                .dns = {},
                .deny = {}},
      .seconds = 3600,
      .since = 1,
      .expires = 3601};
  const NewDevice device{.name = name("rpi1100"),
                         .system = name("default"),
                         .role = wire::Role::onsite,
                         .site = "",
                         .allow = {}};
  disk.fill();
  BOOST_CHECK_THROW(store->keep(session), StoreError);
  BOOST_CHECK_THROW((void)store->add(device, {}, 1, 10), StoreError);
  BOOST_CHECK_THROW(store->write_pending(), StoreError);
  BOOST_CHECK_NO_THROW(store->note_renewed(name("rpi1100"), 99));
  BOOST_TEST(store->devices().empty());
  disk.free();
  store->write_pending();
  BOOST_REQUIRE_EQUAL(store->kept_sessions().size(), 1U);
  BOOST_TEST(store->kept_sessions()[0].expires == 3601);
  BOOST_TEST((store->add(device, {}, 1, 10) == StoreAnswer::done));
  store->drop(7);
  BOOST_TEST(store->kept_sessions().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(refusing, RefusingFixture)

BOOST_AUTO_TEST_CASE(no_session_may_begin_while_there_is_an_alarm_and_those_that_run_are_recorded) {
  (void)log->open();
  note();
  BOOST_TEST(log->refusal() == "");
  disk.fill();
  while (end_of_disk().empty() && log->status().head.sequence < 2'000)
    note();
  BOOST_TEST(
      log->refusal() ==
      "the server opens no session that it cannot record in its audit: cannot set room aside "
      "for the audit: No space left on device");
  note(100);
  BOOST_TEST(log->status().waiting == 0U);
  disk.free();
  log->keep_house();
  BOOST_TEST(log->refusal() == "");
}

BOOST_AUTO_TEST_SUITE_END()
