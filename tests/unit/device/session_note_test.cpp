#define BOOST_TEST_MODULE session_note
#include "agent/session_note.hpp"

#include "wire/grant.hpp"

#include <boost/test/unit_test.hpp>

using namespace device;
using namespace std::chrono_literals;
using tunnel::Clock;

namespace {

wire::Hash hash_of(std::uint8_t n) {
  wire::Hash hash{};
  hash.fill(std::byte{n});
  return hash;
}

wire::Grant grant() {
  return {.session = 77,
          .epoch = 3,
          .master = {*wire::Name::parse("master1"), hash_of(1)},
          .onsite = {*wire::Name::parse("rpi1100"), hash_of(2)},
          .system = *wire::Name::parse("acme"),
          .seconds = 3600,
          .server_time = 1000,
          .tunnel = *tunnel::Ipv4Prefix::parse("192.168.200.4/30")};
}

SessionNote note() {
  return {.owner = ":1.42",
          .since = 1'700'000'000,
          .established = Clock::time_point{10s},
          .ends = Clock::time_point{1h},
          .grant = wire::encode_grant(grant()),
          .signature = tunnel::to_bytes("signature"),
          .deny = {*tunnel::Ipv4Address::parse("203.0.113.10")}};
}

tunnel::core::DeviceIdentity onsite() {
  return {{*wire::Name::parse("acme"), wire::Role::onsite, *wire::Name::parse("rpi1100")},
          hash_of(2)};
}

tunnel::core::DeviceTools tools(bool is_signed = true) {
  return {.is_signed =
              [=](tunnel::ByteView, tunnel::ByteView by) {
                return is_signed && tunnel::as_text(by) == "signature";
              },
          .fresh_nonce = {},
          .random = {}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_was_noted_is_read_again) {
  const auto read = decode_note(encode_note(note()));
  BOOST_REQUIRE(read);
  BOOST_CHECK(*read == note());
}

BOOST_AUTO_TEST_CASE(a_note_that_is_cut_or_longer_or_of_another_version_is_none) {
  const auto whole = encode_note(note());
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!decode_note({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
  auto longer = whole;
  longer.push_back(0);
  BOOST_TEST(!decode_note(longer));
  auto other = whole;
  other[0] = 3;
  BOOST_TEST(!decode_note(other));
  BOOST_TEST(!decode_note(std::vector<std::uint8_t>(64, 0xff)));
}

BOOST_AUTO_TEST_CASE(a_device_goes_on_with_a_grant_that_is_still_its_own) {
  const auto kept = check_note(note(), 77, onsite(), tools());
  BOOST_REQUIRE(kept);
  BOOST_TEST(kept->grant.epoch == 3U);
  BOOST_CHECK(kept->ends == Clock::time_point{1h});
  const tunnel::core::DeviceIdentity master{
      {*wire::Name::parse("acme"), wire::Role::master, *wire::Name::parse("master1")}, hash_of(1)};
  BOOST_TEST(check_note(note(), 77, master, tools()).has_value());
}

BOOST_AUTO_TEST_CASE(a_note_that_does_not_fit_any_more_is_refused) {
  BOOST_TEST(!check_note(note(), 78, onsite(), tools()));
  BOOST_TEST(!check_note(note(), 77, onsite(), tools(false)));  // another server's
  auto enrolled_anew = onsite();
  enrolled_anew.key_hash = hash_of(3);
  BOOST_TEST(!check_note(note(), 77, enrolled_anew, tools()));
  auto renamed = onsite();
  renamed.identity.name = *wire::Name::parse("rpi1200");
  BOOST_TEST(!check_note(note(), 77, renamed, tools()));
  auto broken = note();
  broken.grant.pop_back();
  BOOST_TEST(!check_note(broken, 77, onsite(), tools()));
}

BOOST_AUTO_TEST_CASE(a_mode_that_nobody_confirmed_yet_is_noted_and_older_notes_are_read) {
  auto trial = note();
  trial.back = wire::Mode::l3;
  trial.confirm_until = Clock::time_point{30s};
  const auto read = decode_note(encode_note(trial));
  BOOST_REQUIRE(read);
  BOOST_CHECK(*read == trial);
  auto older = encode_note(note());
  older[0] = 1;
  older.resize(older.size() - 9);
  const auto of_before = decode_note(older);
  BOOST_REQUIRE(of_before);
  BOOST_CHECK(*of_before == note());
}

BOOST_AUTO_TEST_CASE(a_note_of_l2_goes_on_in_l2) {
  auto bridged = grant();
  bridged.mode = wire::Mode::l2;
  bridged.tunnel = {};
  auto of_l2 = note();
  of_l2.grant = wire::encode_grant(bridged);
  const auto kept = check_note(of_l2, 77, onsite(), tools());
  BOOST_REQUIRE(kept);
  BOOST_CHECK(kept->grant.mode == wire::Mode::l2);
}
