#include "base/utf8.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace tunnel {
namespace {

/// RFC 3629, 3: the encoding of a code point, whether it is one or not.
std::string encoded(std::uint32_t point) {
  const auto byte = [](std::uint32_t value) {
    return static_cast<char>(static_cast<unsigned char>(value));
  };
  const auto tail = [&](unsigned shift) { return byte(0x80U | (point >> shift & 0x3fU)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xc0U | point >> 6U), tail(0)};
  if (point < 0x10000) return {byte(0xe0U | point >> 12U), tail(6), tail(0)};
  return {byte(0xf0U | point >> 18U), tail(12), tail(6), tail(0)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_code_point_and_nothing_else_is_a_sequence) {
  std::size_t wrong = 0;
  for (std::uint32_t point = 0; point < 0x140000; ++point) {
    const auto text = encoded(point);
    const bool is_character = point < 0xd800 || (point > 0xdfff && point <= 0x10ffff);
    if (utf8_sequence_bytes(text) != (is_character ? text.size() : 0)) ++wrong;
    if (text.size() > 1 &&
        utf8_sequence_bytes(std::string_view{text}.substr(0, text.size() - 1)) != 0)
      ++wrong;
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(a_longer_form_than_needed_is_refused) {
  for (const auto* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                           "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf"})
    BOOST_TEST(utf8_sequence_bytes(text) == 0);
}

BOOST_AUTO_TEST_CASE(stray_and_unfinished_bytes_are_refused) {
  for (const auto* text : {"\x80", "\xbf", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
                           "\xc3"
                           "a",
                           "\xe2\x82"
                           "a"})
    BOOST_TEST(utf8_sequence_bytes(text) == 0);
  BOOST_TEST(utf8_sequence_bytes("") == 0);
}

BOOST_AUTO_TEST_CASE(the_control_characters_are_c0_del_and_c1) {
  for (std::uint32_t point = 0; point < 0x800; ++point) {
    const bool expected = point < 0x20 || (point >= 0x7f && point < 0xa0);
    BOOST_TEST(is_control_character(encoded(point)) == expected);
  }
}

}  // namespace tunnel
