#include "ctl/audit_text.hpp"
#include "ctl/text.hpp"
#include "utc.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace rdv::ctl;
using nlohmann::json;

namespace {

constexpr std::int64_t when = 1'768'381'920;  // 2026-01-14 09:12 UTC

}  // namespace

BOOST_AUTO_TEST_SUITE(ctl_text)

BOOST_AUTO_TEST_CASE(times_are_utc_and_never_is_a_word) {
  BOOST_TEST(rdv::format_utc(when) == "2026-01-14 09:12 UTC");
  BOOST_TEST(rdv::format_utc(0) == "never");
  BOOST_TEST(rdv::format_utc(-5) == "never");
  BOOST_TEST(rdv::format_utc(INT64_MAX) == "never");
}

BOOST_AUTO_TEST_CASE(columns_are_as_wide_as_their_widest_cell_in_characters) {
  BOOST_TEST(table({{"a", "b"}, {"Épernay", "x"}}) == "a        b\nÉpernay  x\n");
  BOOST_TEST(table({{"a", ""}}) == "a\n");
  BOOST_TEST(table({}) == "");
}

BOOST_AUTO_TEST_CASE(the_code_stands_on_a_line_of_its_own_with_what_to_do_and_until_when) {
  BOOST_TEST(code_text("rpi1100", "AAAAA-BBBBB", when) ==
             "AAAAA-BBBBB\n"
             "On rpi1100, enter: sudo tundev enroll AAAAA-BBBBB\n"
             "The code works once, until 2026-01-14 09:12 UTC.\n");
}

BOOST_AUTO_TEST_CASE(devices_are_shown_with_their_presence) {
  const json devices = json::array({
      {{"name", "rpi1100"},
       {"role", "onsite"},
       {"system", "default"},
       {"state", "enrolled"},
       {"online", true},
       {"since", when},
       {"public_address", "198.51.100.7"},
       {"lan", "192.168.1.10/24"},
       {"busy_with", "rpi2001"},
       {"site", "Boiler room"}},
      {{"name", "rpi1200"},
       {"role", "onsite"},
       {"system", "default"},
       {"state", "enrolled"},
       {"online", false},
       {"since", 0}},
      {{"name", "rpi2001"}, {"role", "master"}, {"system", "default"}, {"state", "registered"}},
  });
  BOOST_TEST(device_table(devices) ==
             "NAME     ROLE    SYSTEM   STATE                              ADDRESS       "
             "LAN              BUSY WITH  SITE\n"
             "rpi1100  onsite  default  online since 2026-01-14 09:12 UTC  198.51.100.7  "
             "192.168.1.10/24  rpi2001    Boiler room\n"
             "rpi1200  onsite  default  never seen                         -             "
             "-                -          -\n"
             "rpi2001  master  default  not enrolled yet                   -             "
             "-                -          -\n"
             "3 devices, 1 online\n");
  BOOST_TEST(device_table(json::array()) ==
             "no devices; add one with: rdvctl device add NAME --role onsite\n");
}

BOOST_AUTO_TEST_CASE(details_leave_out_what_there_is_not) {
  const json device{{"name", "rpi1100"},
                    {"role", "onsite"},
                    {"state", "revoked"},
                    {"revoked_at", when},
                    {"revoked_reason", "stolen"}};
  BOOST_TEST(device_details(device) ==
             "name:    rpi1100\n"
             "role:    onsite\n"
             "state:   revoked at 2026-01-14 09:12 UTC\n"
             "reason:  stolen\n");
}

BOOST_AUTO_TEST_CASE(sessions_and_status_are_shown) {
  BOOST_TEST(session_table(json::array()) == "no sessions\n");
  const json sessions = json::array({{{"id", "00000000000000ff"},
                                      {"master", "rpi2001"},
                                      {"onsite", "rpi1100"},
                                      {"system", "default"},
                                      {"mode", "L3"},
                                      {"state", "running"},
                                      {"since", when},
                                      {"expires", when + 60},
                                      {"rx_bytes", 1'234'567},
                                      {"tx_bytes", 999}}});
  const auto text = session_table(sessions);
  BOOST_TEST((text.find("00000000000000ff  rpi2001  rpi1100  default") != std::string::npos));
  BOOST_TEST((text.find("1.2 MB       999 B\n1 session\n") != std::string::npos));
  auto interrupted = sessions;
  interrupted[0]["state"] = "interrupted";
  interrupted[0]["interrupted_since"] = when;
  BOOST_TEST((session_table(interrupted).find("interrupted since 2026-01-14 09:12 UTC") !=
              std::string::npos));
  const json status{{"version", "0.1.0"},  {"since", when},
                    {"devices", 4},        {"online", 3},
                    {"sessions", 1},       {"handshakes", 9},
                    {"refused", 2},        {"relayed_bytes", 0},
                    {"memory_kb", 20'000}, {"listen", {"0.0.0.0:443", "[::]:443"}},
                    {"audit_records", 7},  {"audit_head", "7:3f0a"}};
  const std::string well =
      "version:           0.1.0\n"
      "running since:     2026-01-14 09:12 UTC\n"
      "listening on:      0.0.0.0:443, [::]:443\n"
      "devices:           4 registered, 3 online\n"
      "sessions:          1\n"
      "handshakes:        9 done, 2 refused\n"
      "relayed:           0 B\n"
      "memory:            20000 KiB\n"
      "audit:             7 records\n"
      "end of the audit:  7:3f0a\n";
  BOOST_TEST(status_details(status) == well);
  auto full = status;
  full["audit_trouble"] = "cannot write the audit: No space left on device";
  full["audit_trouble_since"] = when;
  full["audit_waiting"] = 3;
  full["audit_lost"] = 0;
  full["alarms"] = {"the audit cannot be written: No space left on device"};
  const auto alarmed = status_details(full);
  BOOST_TEST(
      (alarmed.find("audit:             7 records; 3 wait since 2026-01-14 09:12 UTC, 0 lost\n") !=
       std::string::npos));
  BOOST_TEST(alarmed.ends_with(
      "ALARM:             the audit cannot be written: No space left on device\n"));
}

BOOST_AUTO_TEST_CASE(records_of_the_audit_are_chosen_and_shown) {
  const rdv::AuditRecord record{.head = {.sequence = 7},
                                .time = "2026-01-14T09:12:03.123Z",
                                .what = "session_closed",
                                .fields = {{"session", "00000000000000ff"},
                                           {"onsite", "rpi1100"},
                                           {"seconds", "12"},
                                           {"reason", "ended \x1b[2J"}}};
  BOOST_TEST(audit_line_text(record) ==
             "2026-01-14 09:12:03  session_closed       session=00000000000000ff onsite=rpi1100 "
             "seconds=12 reason=\"ended ?[2J\"");
  BOOST_TEST(matches(record, {}));
  BOOST_TEST(matches(record, {.device = "rpi1100", .session = "00000000000000ff"}));
  BOOST_TEST(!matches(record, {.device = "rpi1200"}));
  BOOST_TEST(!matches(record, {.session = "00000000000000fe"}));
  BOOST_TEST(matches(record, {.since = "2026-01-14T09:12:03"}));
  BOOST_TEST(!matches(record, {.since = "2026-01-14T09:12:04"}));
}

BOOST_AUTO_TEST_CASE(a_time_since_when_is_read_as_people_write_it) {
  const auto since = [](std::string_view text) {
    return parse_since(text, when * 1000).value_or("?");
  };
  BOOST_TEST(since("2026-01-14") == "2026-01-14");
  BOOST_TEST(since("2026-01-14 09:12") == "2026-01-14T09:12");
  BOOST_TEST(since("2026-01-14T09:12:03.123Z") == "2026-01-14T09:12:03.123");
  BOOST_TEST(since("72m") == "2026-01-14T08:00:00.000Z");
  BOOST_TEST(since("2d") == "2026-01-12T09:12:00.000Z");
  BOOST_TEST(since("100000d") == "1970-01-01T00:00:00.000Z");
  for (const auto* wrong :
       {"", "yesterday", "2026", "5", "-5m", "100001d", "5s", "2026-1-14", "9999999999999999999d"})
    BOOST_TEST(since(wrong) == "?");
}

BOOST_AUTO_TEST_CASE(bytes_are_rounded_for_people) {
  BOOST_TEST(bytes_text(0) == "0 B");
  BOOST_TEST(bytes_text(999) == "999 B");
  BOOST_TEST(bytes_text(1'000) == "1.0 kB");
  BOOST_TEST(bytes_text(12'345'678) == "12 MB");
  BOOST_TEST(bytes_text(UINT64_MAX) == "18446744 TB");
}

BOOST_AUTO_TEST_SUITE_END()
