#include "wire/names.hpp"

#include "unit/wire/samples.hpp"
#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel::wire {

BOOST_AUTO_TEST_CASE(names_are_letters_digits_and_inner_hyphens) {
  const std::string longest(device_name_chars_max, 'z');
  for (const std::string& text :
       {std::string{"a"}, std::string{"0"}, std::string{"rpi1100"}, std::string{"a--b"}, longest})
    BOOST_TEST(Name::parse(text).value().str() == text);
}

BOOST_AUTO_TEST_CASE(what_is_no_name_stays_out) {
  for (const auto* text : {"", "-", "-a", "a-", "A", "rpI", "a b", "a.b", "a_b", "a/b", "../x",
                           "a\n", "a:b", "ä", "\xff", "a%20", "a\"b"})
    BOOST_TEST((Name::parse(text).error() == Errc::bad_name), "taken: " << text);
  BOOST_TEST(Name::parse(std::string(device_name_chars_max + 1, 'a')).has_error());
  BOOST_TEST(Name::parse(std::string_view{"a\0b", 3}).has_error());
  for (int c = 0; c < 256; ++c) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    BOOST_TEST(Name::parse(std::string{'a', static_cast<char>(c), 'a'}).has_value() == allowed,
               "byte " << c);
  }
}

BOOST_AUTO_TEST_CASE(an_identity_comes_back_from_its_uri) {
  const Identity identity{samples::name("rdv"), Role::onsite, samples::name("rpi1100")};
  BOOST_TEST(identity.uri() == "rdv:rdv:onsite:rpi1100");
  BOOST_TEST((Identity::parse_uri(identity.uri()).value() == identity));
  BOOST_TEST((Identity::parse_uri("rdv:s:master:m").value() ==
              Identity{samples::name("s"), Role::master, samples::name("m")}));
}

BOOST_AUTO_TEST_CASE(no_other_uri_is_an_identity) {
  for (const auto* uri : {"",
                          ":",
                          ":::",
                          "rdv",
                          "rdv:",
                          "rdv:server",
                          "rdv:s:onsite",
                          "rdv:s:onsite:",
                          "rdv::onsite:a",
                          "rdv:s::a",
                          "rdv:s:server:a",
                          "rdv:s:Onsite:a",
                          "rdv:s:onsite:a:b",
                          "rdv:s:onsite:a ",
                          " rdv:s:onsite:a",
                          "RDV:s:onsite:a",
                          "http:s:onsite:a",
                          "rdv:s:onsite:A",
                          "rdv:s:onsite:-",
                          "xrdv:s:onsite:a",
                          "rdv:s:onsitex:a"})
    BOOST_TEST((Identity::parse_uri(uri).error() == Errc::bad_name), "taken: " << uri);
  BOOST_TEST(Identity::parse_uri(std::string_view{"rdv:s:onsite:a\0", 15}).has_error());
}

BOOST_AUTO_TEST_CASE(roles_are_two_words) {
  BOOST_TEST((parse_role("onsite").value() == Role::onsite));
  BOOST_TEST((parse_role("master").value() == Role::master));
  for (const auto* text : {"", "server", "Master", "onsite "})
    BOOST_TEST((parse_role(text).error() == Errc::bad_value));
  BOOST_TEST(to_string(static_cast<Role>(9)) == "unknown");
}

BOOST_AUTO_TEST_CASE(plain_text_is_short_utf8_without_control_characters) {
  BOOST_TEST(is_plain_text("", 0));
  BOOST_TEST(is_plain_text("Zürich 東京 \U0001F600", 64));
  BOOST_TEST(is_plain_text(samples::text(128), 128));
  BOOST_TEST(!is_plain_text(samples::text(129), 128));
  for (const auto* text :
       {"a\nb", "\x1b[2J", "a\x7f", "\xc2\x9b", "\xc3", "\xff", "\xed\xa0\x80", "\xc0\x80"})
    BOOST_TEST(!is_plain_text(text, 64));
  BOOST_TEST(!is_plain_text(std::string_view{"\0", 1}, 64));
}

BOOST_AUTO_TEST_CASE(any_bytes_can_be_made_plain_text) {
  BOOST_TEST(to_plain_text("Zürich", 64) == "Zürich");
  BOOST_TEST(to_plain_text("a\r\n\x1b[2Jb\xff\xc2\x9b", 64) == "a???[2Jb??");
  BOOST_TEST(to_plain_text("aü", 2) == "a");  // never half a character
  BOOST_TEST(to_plain_text("aü", 3) == "aü");
  BOOST_TEST(to_plain_text("abc", 0).empty());
  std::string all;
  for (int i = 0; i < 65536; ++i)
    (all += static_cast<char>(i >> 8)) += static_cast<char>(i & 0xff);
  for (const std::size_t chars_max : {0U, 1U, 100U, 200000U})
    BOOST_TEST(is_plain_text(to_plain_text(all, chars_max), chars_max));
}

}  // namespace tunnel::wire
