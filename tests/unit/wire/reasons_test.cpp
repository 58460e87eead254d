#include "wire/reasons.hpp"

#include "wire/errc.hpp"
#include "wire/messages.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

namespace tunnel::wire {
namespace {

template <class Code>
std::set<std::string> words() {
  std::set<std::string> all;
  for (int number = 0; number < 256; ++number) {
    const auto word = std::string{to_string(static_cast<Code>(number))};
    BOOST_TEST(word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    if (word != "unknown") BOOST_TEST(all.insert(word).second, "twice: " << word);
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_code_has_its_own_word_and_codes_of_a_later_version_have_unknown) {
  BOOST_TEST(words<RefusalCode>().size() == 15);
  BOOST_TEST(words<CloseCode>().size() == 17);
  BOOST_TEST(words<GoodbyeCode>().size() == 10);
}

BOOST_AUTO_TEST_CASE(every_close_has_a_sentence_of_its_own) {
  std::set<std::string_view> sentences;
  for (int number = 0; number < 256; ++number)
    sentences.insert(sentence(static_cast<CloseCode>(number)));
  BOOST_TEST(sentences.size() == 17 + 1);
}

BOOST_AUTO_TEST_CASE(only_what_somebody_wanted_is_an_orderly_end) {
  for (int number = 0; number < 256; ++number) {
    const auto code = static_cast<CloseCode>(number);
    BOOST_TEST(is_orderly(code) == (code == CloseCode::operator_ || code == CloseCode::time_limit));
  }
}

BOOST_AUTO_TEST_CASE(every_error_of_the_wire_has_words) {
  std::set<std::string> messages;
  for (int value = 1; value <= static_cast<int>(Errc::behind_switch); ++value)
    BOOST_TEST(messages.insert(make_error_code(static_cast<Errc>(value)).message()).second);
  BOOST_TEST(!messages.contains("unknown error"));
  BOOST_TEST(make_error_code(static_cast<Errc>(99)).message() == "unknown error");
}

BOOST_AUTO_TEST_CASE(uplinks_come_back_from_their_words) {
  for (const auto kind : {UplinkKind::unknown, UplinkKind::lan, UplinkKind::wlan, UplinkKind::wwan})
    BOOST_TEST((parse_uplink_kind(to_string(kind)) == kind));
  BOOST_TEST((parse_uplink_kind("5g") == UplinkKind::unknown));
  BOOST_TEST(to_string(static_cast<UplinkKind>(77)) == "unknown");
  BOOST_TEST(to_string(Mode::l3) == "L3");
  BOOST_TEST(to_string(Mode::l2) == "L2");
}

}  // namespace tunnel::wire
