#include "base/log.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel::log {

BOOST_AUTO_TEST_CASE(a_line_is_one_sentence_and_then_fields) {
  BOOST_TEST(format_line("session closed", {session(0xab), onsite("rpi1100"), rx_bytes(7)}) ==
             R"(session closed session="00000000000000ab" onsite="rpi1100" rx_bytes="7")");
  BOOST_TEST(format_line("started", {}) == "started");
}

BOOST_AUTO_TEST_CASE(a_value_cannot_begin_a_line_or_a_field) {
  const auto line = format_line("refused", {reason("a\" level=\"error\"\r\n2026-01-01 forged\\")});
  BOOST_TEST(line == R"(refused reason="a\" level=\"error\"\x0d\x0a2026-01-01 forged\\")");
}

BOOST_AUTO_TEST_CASE(no_control_character_reaches_the_log) {
  std::string all;
  for (int c = 0; c < 0x20; ++c)
    all += static_cast<char>(c);
  all += "\x7f\xc2\x80\xc2\x9b\xc2\x9f";  // DEL and C1; U+009B is a terminal's CSI
  const auto line = format_line("x", {reason(all)});
  for (const char c : line)
    BOOST_TEST((c >= 0x20 && c < 0x7f), "byte " << int{static_cast<unsigned char>(c)});
  BOOST_TEST(line.find(R"(\xc2\x9b)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(letters_of_people_stay_and_broken_utf8_does_not) {
  BOOST_TEST(format_line("x", {reason("Zürich 東京")}) == "x reason=\"Zürich 東京\"");
  BOOST_TEST(format_line("x", {reason("\xff"
                                      "a\xc3")}) == R"(x reason="\xffa\xc3")");
}

}  // namespace tunnel::log
