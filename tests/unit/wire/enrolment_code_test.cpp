#include "wire/enrolment_code.hpp"

#include "unit/wire/samples.hpp"

#include <algorithm>
#include <cctype>

namespace tunnel::wire {
namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

EnrolmentCode code(std::string server = "rdv.example.com:443") {
  EnrolmentCode made{.server = std::move(server)};
  for (std::size_t i = 0; i < made.secret.size(); ++i)
    made.secret[i] = static_cast<std::byte>(0xff - 3 * i);
  for (std::size_t i = 0; i < made.ca_fingerprint.size(); ++i)
    made.ca_fingerprint[i] = static_cast<std::byte>(17 * i);
  return made;
}

bool is_the_code(std::string_view text, const EnrolmentCode& wanted) {
  const auto parsed = EnrolmentCode::parse(text);
  return parsed && parsed->server == wanted.server && parsed->secret == wanted.secret &&
         parsed->ca_fingerprint == wanted.ca_fingerprint;
}

std::string changed(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_code_comes_back_whatever_the_length_of_the_address) {
  for (std::size_t length = 0; length <= address_chars_max - 4; ++length) {
    const auto made = code(std::string(length, 'h') + ":443");
    BOOST_TEST(is_the_code(made.str(), made), "address of " << length);
  }
  const auto v6 = code("[2001:db8::1]:443");
  BOOST_TEST(is_the_code(v6.str(), v6));
}

BOOST_AUTO_TEST_CASE(a_code_is_groups_of_five_digits_that_people_do_not_confuse) {
  const auto text = code().str();
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i % 6 == 5)
      BOOST_TEST(text[i] == '-');
    else
      BOOST_TEST(digits.find(text[i]) != std::string_view::npos);
  BOOST_TEST(text.back() != '-');
}

BOOST_AUTO_TEST_CASE(a_code_is_taken_however_a_person_writes_it) {
  const auto made = code();
  auto text = made.str();
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  BOOST_TEST(is_the_code(lower, made));
  BOOST_TEST(is_the_code(changed(text, '-', ' '), made));
  BOOST_TEST(is_the_code("  " + changed(text, '-', '\n') + "\r\n\t", made));
  text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
  BOOST_TEST(is_the_code(text, made));
  BOOST_REQUIRE((text.find('0') != std::string::npos && text.find('1') != std::string::npos));
  for (const char letter : {'O', 'o'})
    BOOST_TEST(is_the_code(changed(text, '0', letter), made));
  for (const char letter : {'I', 'i', 'L', 'l'})
    BOOST_TEST(is_the_code(changed(text, '1', letter), made));
}

BOOST_AUTO_TEST_CASE(every_wrong_digit_is_found) {
  const auto text = code().str();
  for (std::size_t i = 0; i < text.size(); ++i)
    for (const char digit : digits) {
      if (text[i] == '-' || text[i] == digit) continue;
      auto mistyped = text;
      mistyped[i] = digit;
      BOOST_TEST(EnrolmentCode::parse(mistyped).has_error(), "at " << i << ": " << digit);
    }
}

BOOST_AUTO_TEST_CASE(every_missing_doubled_or_swapped_digit_is_found) {
  auto text = code().str();
  text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
  for (std::size_t i = 0; i < text.size(); ++i) {
    BOOST_TEST(EnrolmentCode::parse(std::string{text}.erase(i, 1)).has_error(), "without " << i);
    BOOST_TEST(EnrolmentCode::parse(std::string{text}.insert(i, 1, text[i])).has_error(),
               "doubled " << i);
    if (i + 1 == text.size() || text[i] == text[i + 1]) continue;
    auto swapped = text;
    std::swap(swapped[i], swapped[i + 1]);
    BOOST_TEST(EnrolmentCode::parse(swapped).has_error(), "swapped " << i);
  }
}

BOOST_AUTO_TEST_CASE(no_other_character_is_a_digit) {
  const auto text = code().str();
  for (int c = 0; c < 256; ++c) {
    const char letter = static_cast<char>(c);
    if (std::isalnum(c) != 0 && letter != 'U' && letter != 'u') continue;
    if (letter == '-' || letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r')
      continue;
    BOOST_TEST(EnrolmentCode::parse(text + letter).has_error(), "byte " << c);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_code_is_refused) {
  for (const auto* text : {"", "-", "0", "00000-00000", "rdv.example.com", "not a code at all"})
    BOOST_TEST(EnrolmentCode::parse(text).has_error());
  BOOST_TEST(EnrolmentCode::parse(std::string(1'000'000, '0')).has_error());
  for (const auto* server : {"no-port", "", "a\n:443", "\xff:443"})
    BOOST_TEST(EnrolmentCode::parse(code(server).str()).has_error());
}

}  // namespace tunnel::wire
