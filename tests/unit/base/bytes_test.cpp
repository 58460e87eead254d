#include "base/bytes.hpp"

#include "base/endian.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <limits>

namespace tunnel {

BOOST_AUTO_TEST_CASE(numbers_travel_most_significant_byte_first) {
  std::array<std::byte, 8> wire{};
  store_big_endian<std::uint64_t>(wire, 0x0102030405060708);
  BOOST_TEST(to_hex(wire) == "0102030405060708");
  store_big_endian<std::uint16_t>(wire, 0xfffe);
  BOOST_TEST(to_hex(wire) == "fffe030405060708");
  store_big_endian24(std::span{wire}.first<3>(), 0xabcdef);
  BOOST_TEST(to_hex(wire) == "abcdef0405060708");
}

BOOST_AUTO_TEST_CASE(a_number_comes_back_as_it_went) {
  std::array<std::byte, 8> wire{};
  for (const std::uint64_t value : {0ULL, 1ULL, 0x80ULL, 0xff00ULL, 0x8000000000000000ULL, ~0ULL}) {
    store_big_endian<std::uint64_t>(wire, value);
    BOOST_TEST(load_big_endian<std::uint64_t>(wire) == value);
    store_big_endian<std::uint32_t>(wire, static_cast<std::uint32_t>(value));
    BOOST_TEST(load_big_endian<std::uint32_t>(wire) == static_cast<std::uint32_t>(value));
    store_big_endian<std::uint8_t>(wire, static_cast<std::uint8_t>(value));
    BOOST_TEST(load_big_endian<std::uint8_t>(wire) == static_cast<std::uint8_t>(value));
  }
  for (const std::uint32_t value : {0U, 1U, 0x800000U, 0xffffffU}) {
    store_big_endian24(std::span{wire}.first<3>(), value);
    BOOST_TEST(load_big_endian24(std::span{wire}.first<3>()) == value);
  }
}

BOOST_AUTO_TEST_CASE(hexadecimal_comes_back_as_bytes) {
  Bytes all;
  for (int value = 0; value < 256; ++value)
    all.push_back(static_cast<std::byte>(value));
  const auto text = to_hex(all);
  BOOST_TEST(text.size() == 512);
  BOOST_TEST((from_hex(text) == all));
  BOOST_TEST((from_hex("00aAFf") == Bytes{std::byte{0}, std::byte{0xaa}, std::byte{0xff}}));
  BOOST_TEST(to_hex({}).empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_hexadecimal_gives_no_bytes) {
  for (const auto* text : {"", "0", "000", "0g", "g0", "0x00", " 00", "00 ", "-1", "\xff\xff"})
    BOOST_TEST(from_hex(text).empty(), "taken: " << text);
  BOOST_TEST(from_hex(std::string_view{"0\0", 2}).empty());
}

BOOST_AUTO_TEST_CASE(text_and_bytes_are_the_same_octets) {
  const std::string_view text{"a\0\xff", 3};
  BOOST_TEST(as_text(to_bytes(text)) == text);
  BOOST_TEST(as_text(as_bytes(text)) == text);
}

}  // namespace tunnel
