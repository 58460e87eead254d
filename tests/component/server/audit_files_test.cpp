#define BOOST_TEST_MODULE server_audit_files
#include "base/files.hpp"
#include "component/server/audit_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace rdv;
using namespace rdv::test;

namespace fs = std::filesystem;

namespace {

constexpr tunnel::UnixMillis january = 1'768'381'920'000;  // 2026-01-14 09:12 UTC
constexpr tunnel::UnixMillis day_ms = 86'400'000;

struct FilesFixture {
  fs::path folder() const { return temporary.path() / "audit"; }
  AuditFiles::Settings settings(std::uint64_t file_bytes = 1'000'000) const {
    return {.folder = folder(), .file_bytes_max = file_bytes, .room_bytes = 64 * 1024};
  }
  void append(AuditFiles& files, tunnel::UnixMillis time = january) {
    const auto line = make_audit_line(head, {.kind = Event::Kind::closed, .session = 7}, time);
    files.append(line);
    head = line.head;
  }
  /// A run of a server that writes `count` records. @return what it found
  AuditFiles::Found run(int count, std::uint64_t file_bytes = 1'000'000) {
    AuditFiles files{settings(file_bytes)};
    auto found = files.open();
    for (int i = 0; i < count; ++i)
      append(files);
    return found;
  }
  fs::path newest() const { return audit_files(folder()).back(); }
  /// Writes behind, or in place of, what stands in the newest file.
  void scribble(std::string_view text, bool behind = true) const {
    const auto before = behind ? tunnel::read_file(newest()) : std::string{};
    tunnel::write_file_durably(newest(), before + std::string{text}, 0600);
  }

  TemporaryFolder temporary;
  AuditHead head;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(files, FilesFixture)

BOOST_AUTO_TEST_CASE(the_chain_goes_on_where_the_server_before_left_it) {
  BOOST_TEST(run(3).head.sequence == 0U);
  const auto found = run(2);
  BOOST_TEST(found.head.sequence == 3U);
  BOOST_TEST(found.what == "session_closed");
  BOOST_TEST(found.torn_bytes == 0U);
  BOOST_TEST(found.damage == "");
  BOOST_TEST(broken(folder(), {head}) == "");
  BOOST_TEST(audit_files(folder()).size() == 1U);
}

BOOST_AUTO_TEST_CASE(nobody_else_can_read_it) {
  run(1);
  BOOST_TEST((fs::status(folder()).permissions() == fs::perms::owner_all));
  BOOST_TEST(
      (fs::status(newest()).permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_full_is_followed_by_another_and_the_chain_goes_on) {
  run(20, 700);
  const auto files = audit_files(folder());
  BOOST_TEST(files.size() == 10U);
  BOOST_TEST(files[0].filename().string() == "audit-000000000001-2026-01.jsonl");
  BOOST_TEST(files[9].filename().string() == "audit-000000000019-2026-01.jsonl");
  for (const auto& file : files)
    BOOST_TEST(fs::file_size(file) <= 700U);
  BOOST_TEST(broken(folder(), {head}) == "");
  fs::remove(files[4]);
  BOOST_TEST(broken(folder()) == "records 9 to 10 are missing: record 11 follows record 8");
}

BOOST_AUTO_TEST_CASE(a_month_has_files_of_its_own_and_a_clock_that_goes_back_makes_none) {
  AuditFiles files{settings()};
  (void)files.open();
  for (const auto days : {0, 20, 21, 0, 60})
    append(files, january + days * day_ms);
  const auto all = audit_files(folder());
  BOOST_REQUIRE_EQUAL(all.size(), 3U);
  BOOST_TEST(all[1].filename().string() == "audit-000000000002-2026-02.jsonl");
  BOOST_TEST(all[2].filename().string() == "audit-000000000005-2026-03.jsonl");
  BOOST_TEST(broken(folder(), {head}) == "");
}

BOOST_AUTO_TEST_CASE(what_is_set_aside_is_no_part_of_a_file_and_given_back_at_its_end) {
  struct stat facts {};
  AuditFiles files{settings(2'000)};
  (void)files.open();
  append(files);
  const auto first = newest();
  BOOST_REQUIRE(::stat(first.c_str(), &facts) == 0);
  BOOST_TEST(facts.st_blocks * 512 >= 64 * 1024);
  BOOST_TEST(facts.st_size < 1'000);
  while (newest() == first)
    append(files);
  BOOST_REQUIRE(::stat(first.c_str(), &facts) == 0);
  BOOST_TEST(facts.st_blocks * 512 <= 8 * 1024);
}

BOOST_AUTO_TEST_CASE(a_line_that_a_crash_tore_is_removed_and_counted) {
  run(3);
  scribble(R"({"seq":4,"time":"2026-01)");
  BOOST_TEST(broken(folder()) == "the line behind record 3 is damaged: it is no record");
  const auto found = run(2);
  BOOST_TEST(found.torn_bytes == 24U);
  BOOST_TEST(found.head.sequence == 3U);
  BOOST_TEST(broken(folder(), {head}) == "");
}

BOOST_AUTO_TEST_CASE(a_file_whose_first_line_was_torn_is_as_if_it_had_not_been_begun) {
  run(2, 700);
  const auto before = audit_files(folder()).size();
  {
    AuditFiles files{settings(700)};
    (void)files.open();
    append(files);
  }
  BOOST_REQUIRE_EQUAL(audit_files(folder()).size(), before + 1);
  scribble(R"({"seq":3)", false);
  const auto found = AuditFiles{settings(700)}.open();
  BOOST_TEST(found.torn_bytes == 8U);
  BOOST_TEST(found.head.sequence == 2U);
  BOOST_TEST(audit_files(folder()).size() == before);
}

BOOST_AUTO_TEST_CASE(an_end_that_is_no_record_stays_as_it_is_and_the_chain_goes_on_in_a_new_file) {
  run(3);
  scribble("this was a record once\n");
  const auto damaged = tunnel::read_file(newest());
  AuditFiles files{settings()};
  const auto found = files.open();
  BOOST_TEST(found.head.sequence == 3U);
  BOOST_TEST(
      (found.damage.find("the last line of ") == 0 && found.damage.ends_with(": it is no record")));
  append(files);
  BOOST_TEST(audit_files(folder()).size() == 2U);
  BOOST_TEST(tunnel::read_file(audit_files(folder())[0]) == damaged);
  BOOST_TEST(broken(folder()) == "the line behind record 3 is damaged: it is no record");
}

BOOST_AUTO_TEST_CASE(a_file_that_somebody_removed_is_followed_by_another) {
  AuditFiles files{settings()};
  (void)files.open();
  append(files);
  files.look_after_file();
  fs::remove(newest());
  files.look_after_file();
  append(files);
  BOOST_TEST(newest().filename().string() == "audit-000000000002-2026-01.jsonl");
}

BOOST_AUTO_TEST_CASE(a_number_that_a_damaged_file_begins_with_already_is_no_obstacle) {
  run(1);
  scribble("this was a record once\n", false);
  head = {};
  AuditFiles files{settings()};
  BOOST_TEST(files.open().head.sequence == 0U);
  append(files);
  BOOST_TEST(newest().filename().string() == "audit-000000000001-2026-01_2.jsonl");
}

BOOST_AUTO_TEST_CASE(
    on_a_full_disk_there_is_room_that_was_set_aside_and_behind_it_nothing_is_half_written) {
  SmallDisk disk{folder(), 1024 * 1024};
  AuditFiles files{settings()};
  (void)files.open();
  append(files);
  files.make_room();
  disk.fill();
  BOOST_CHECK_NO_THROW(files.make_room());
  // All of what was set aside is used; long before its end there is an alarm.
  int written = 0, alarm_at = -1;
  try {
    for (; written < 10'000; ++written) {
      append(files);
      try {
        files.make_room();
      } catch (const std::system_error& error) {
        BOOST_TEST(error.code().value() == ENOSPC);
        if (alarm_at < 0) alarm_at = written;
      }
    }
  } catch (const std::system_error& error) {
    BOOST_TEST(error.code().value() == ENOSPC);
  }
  BOOST_TEST(alarm_at >= 0);
  BOOST_TEST(written - alarm_at > 64 * 1024 / 400);
  BOOST_TEST(written < 10'000);
  BOOST_TEST(broken(folder(), {head}) == "");
  disk.free();
  append(files);
  files.make_room();
  BOOST_TEST(broken(folder(), {head}) == "");
}

BOOST_AUTO_TEST_CASE(on_a_full_disk_no_new_file_is_begun_as_long_as_the_old_one_has_room) {
  SmallDisk disk{folder(), 1024 * 1024};
  AuditFiles files{settings(2'000)};
  (void)files.open();
  append(files);
  disk.fill();
  for (int i = 0; i < 20; ++i)
    append(files);
  BOOST_TEST(audit_files(folder()).size() == 1U);
  disk.free();
  append(files);
  BOOST_TEST(audit_files(folder()).size() == 2U);
  BOOST_TEST(broken(folder(), {head}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
