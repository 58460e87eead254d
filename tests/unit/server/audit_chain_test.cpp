#include "audit/verifier.hpp"
#include "audit/words.hpp"
#include "base/bytes.hpp"
#include "broker_fixture.hpp"
#include "crypto/hash.hpp"

using namespace rdv;
using namespace rdv::test;

namespace {

constexpr tunnel::UnixMillis start_ms = start_unix * 1000 + 123;

/// Records 1 to 5, without their lines' ends.
struct ChainFixture {
  ChainFixture() {
    for (std::uint64_t session = 0xab; lines.size() < 5; ++session)
      append(granted(session));
  }
  static Event granted(std::uint64_t session) {
    return {.kind = Event::Kind::granted,
            .master = "rpi2001",
            .onsite = "rpi1100",
            .session = session,
            .rule = "same-system"};
  }
  void append(const Event& event) {
    auto line = make_audit_line(head, event, start_ms);
    head = line.head;
    line.text.pop_back();
    lines.push_back(std::move(line.text));
  }
  /// Where the chain breaks: the first line that is refused and why, or what is missing behind all.
  std::string broken(std::vector<AuditHead> noted = {}) const {
    AuditVerifier verifier{std::move(noted)};
    for (const auto& line : lines)
      if (auto why = verifier.take(line); !why.empty()) return why;
    return verifier.finish();
  }
  /// The record at `at` as somebody would write it who changed it and computed its hash anew.
  void forge(std::size_t at, std::string_view what, std::string_view by) {
    auto& line = lines[at];
    line.replace(line.find(what), what.size(), by);
    const auto covered = line.substr(0, line.rfind(",\"hash\""));
    line = covered + ",\"hash\":\"" +
           tunnel::to_hex(tunnel::crypto::sha256(tunnel::as_bytes(covered))) + "\"}";
  }

  AuditHead head;
  std::vector<std::string> lines;
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(audit_chain, ChainFixture)

BOOST_AUTO_TEST_CASE(a_record_says_what_happened_in_one_line_of_json) {
  const auto zeros = std::string(64, '0');
  const auto covered =
      R"({"seq":1,"time":"2026-01-14T09:12:00.123Z","what":"session_granted",)"
      R"("session":"00000000000000ab","master":"rpi2001","onsite":"rpi1100","rule":"same-system","prev":")" +
      zeros + '"';
  BOOST_TEST(lines[0] == covered + ",\"hash\":\"" +
                             tunnel::to_hex(tunnel::crypto::sha256(tunnel::as_bytes(covered))) +
                             "\"}");
}

BOOST_AUTO_TEST_CASE(the_end_of_a_session_has_its_figures_even_when_they_are_zero) {
  const auto line = make_audit_line(
      {}, {.kind = Event::Kind::closed, .session = 1, .code = "operator"}, start_ms);
  BOOST_TEST(contains(line.text, R"("seconds":0,"rx_bytes":0,"tx_bytes":0,)"));
}

BOOST_AUTO_TEST_CASE(a_record_is_read_as_it_was_written) {
  const auto read = read_audit_line(lines[2]);
  const auto& record = std::get<AuditRecord>(read);
  BOOST_TEST(record.head.sequence == 3U);
  BOOST_TEST(record.time == "2026-01-14T09:12:00.123Z");
  BOOST_TEST(record.what == "session_granted");
  BOOST_TEST(record.field("session") == "00000000000000ad");
  BOOST_TEST(record.field("device") == "");
  BOOST_TEST((parse_audit_head(record.head.str()) == record.head));
}

BOOST_AUTO_TEST_CASE(texts_of_others_cannot_forge_a_record) {
  Event event{.kind = Event::Kind::closed, .text = "\",\"hash\":\"0\"}\n{\"seq\":9\x1b\xff"};
  event.text += std::string(5'000, '"');
  append(event);
  BOOST_TEST(lines.back().find('\n') == std::string::npos);
  BOOST_TEST(lines.back().size() < audit_line_bytes_max);
  BOOST_TEST(broken() == "");
}

BOOST_AUTO_TEST_CASE(the_longest_event_fits_into_a_line) {
  const std::string longest(10'000, '\\');
  const auto line = make_audit_line(head,
                                    {.kind = Event::Kind::closed,
                                     .device = longest,
                                     .master = longest,
                                     .onsite = longest,
                                     .session = 1,
                                     .address = longest,
                                     .code = longest,
                                     .rule = longest,
                                     .allow = longest,
                                     .text = longest,
                                     .user = longest,
                                     .count = UINT64_MAX,
                                     .seconds = INT64_MIN,
                                     .from_onsite_bytes = UINT64_MAX,
                                     .from_master_bytes = UINT64_MAX},
                                    start_ms);
  BOOST_TEST(line.text.size() > 9 * 2 * audit_text_bytes_max);  // each character is escaped
  BOOST_TEST(line.text.size() <= audit_line_bytes_max);
}

BOOST_AUTO_TEST_CASE(a_whole_chain_is_unbroken_wherever_it_begins) {
  BOOST_TEST(broken() == "");
  lines.erase(lines.begin(), lines.begin() + 2);
  BOOST_TEST(broken() == "");
}

BOOST_AUTO_TEST_CASE(a_changed_byte_is_found_wherever_it_is) {
  const auto good = lines[2];
  for (std::size_t at = 0; at < good.size(); ++at) {
    lines[2] = good;
    lines[2][at] = static_cast<char>(lines[2][at] ^ 1);
    BOOST_TEST(contains(broken(), "the line behind record 2 is damaged"), "byte " << at);
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_was_replaced_by_a_sound_one_is_found_by_the_next) {
  forge(2, "rpi1100", "rpi1200");
  BOOST_TEST(
      broken() ==
      "record 4 does not follow the record 3 that stands before it: one of the two was replaced");
}

BOOST_AUTO_TEST_CASE(removed_records_are_named) {
  lines.erase(lines.begin() + 1, lines.begin() + 3);
  BOOST_TEST(broken() == "records 2 to 3 are missing: record 4 follows record 1");
}

BOOST_AUTO_TEST_CASE(records_in_another_order_are_found) {
  std::swap(lines[1], lines[2]);
  BOOST_TEST(broken() == "record 2 is missing: record 3 follows record 1");
  std::swap(lines[1], lines[2]);
  lines.insert(lines.begin() + 3, lines[1]);
  BOOST_TEST(broken() == "record 2 stands behind record 3: it was moved or repeated");
}

BOOST_AUTO_TEST_CASE(a_chain_that_was_cut_off_at_its_end_is_whole_unless_its_head_was_noted) {
  lines.pop_back();
  lines.pop_back();
  BOOST_TEST(broken() == "");
  BOOST_TEST(broken({head}) == "records 4 to 5 are missing at the end: record 5 was noted");
}

BOOST_AUTO_TEST_CASE(a_chain_that_was_written_anew_is_found_by_a_head_that_was_noted) {
  const auto noted = head;
  head = {};
  lines.clear();
  for (std::uint64_t session = 1; lines.size() < 7; ++session)
    append(granted(session));
  BOOST_TEST(broken() == "");
  BOOST_TEST(
      broken({noted}) ==
      "record 5 is not the one that was noted under this number: the chain was written anew");
}

BOOST_AUTO_TEST_CASE(a_head_noted_before_the_chain_begins_says_nothing) {
  const auto noted = AuditHead{.sequence = 2};
  lines.erase(lines.begin(), lines.begin() + 2);
  BOOST_TEST(broken({noted}) == "");
}

BOOST_AUTO_TEST_CASE(what_is_no_record_is_said_so) {
  const auto why = [](std::string_view line) {
    const auto read = read_audit_line(line);
    return std::get<AuditDamage>(read).why;
  };
  BOOST_TEST(why("") == "it is no record");
  BOOST_TEST(why(std::string(200, 'x')) == "it is no record, or its end is cut off");
  BOOST_TEST(why(std::string(audit_line_bytes_max, 'x')) == "it is too long for a record");
  BOOST_TEST(why(lines[0].substr(0, lines[0].size() - 1)) ==
             "it is no record, or its end is cut off");
  forge(0, "\"seq\":1", "\"seq\":0");
  BOOST_TEST(why(lines[0]) == "it has no number");
  forge(1, "\"seq\":2", "\"seq\":[[2]]");
  BOOST_TEST(why(lines[1]) == "a field of it is no text and no number");
  forge(2, "{\"seq\"", "[\"seq\"");
  BOOST_TEST(why(lines[2]) == "it is not JSON");
  forge(3, "\"prev\"", "\"past\"");
  BOOST_TEST(why(lines[3]) == "it does not name the record before");
}

BOOST_AUTO_TEST_CASE(a_head_is_read_from_what_rdvctl_shows_and_from_nothing_else) {
  BOOST_TEST((parse_audit_head(head.str()) == head));
  for (const auto* text : {"", ":", "5", "5:", "5:00", "x:00", "-1:00"})
    BOOST_TEST(parse_audit_head(text).sequence == 0U);
  BOOST_TEST(parse_audit_head("5" + head.str().substr(1) + "0").sequence == 0U);
  BOOST_TEST(parse_audit_head("0" + head.str().substr(1)).sequence == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
