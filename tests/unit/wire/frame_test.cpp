#include "wire/frame.hpp"

#include "base/endian.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <map>

namespace tunnel::wire {
namespace {

struct Known {
  Channel channel;
  std::size_t payload_bytes_max;
};

/// docs/PROTOCOL.md's table of types, written down a second time.
const std::map<int, Known>& known_types() {
  static const auto table = [] {
    std::map<int, Known> types;
    for (int type = 0x01; type <= 0x15; ++type)
      types[type] = {Channel::control, 65536};
    for (int type = 0x20; type <= 0x22; ++type)
      types[type] = {Channel::enroll, 65536};
    types[0x30] = {Channel::data, 64};
    types[0x31] = {Channel::data, 16384 + 512};
    types[0x32] = {Channel::data, 0};
    types[0x33] = {Channel::data, 1024};
    types[0x40] = {Channel::end_to_end, 1024};
    types[0x41] = {Channel::end_to_end, 65567};
    types[0x42] = types[0x43] = {Channel::end_to_end, 64};
    types[0x44] = {Channel::end_to_end, 1024};
    types[0x45] = {Channel::end_to_end, 64};
    return types;
  }();
  return table;
}

constexpr std::array channels{Channel::control, Channel::enroll, Channel::data,
                              Channel::end_to_end};

Result<FrameHeader> decode(Channel channel, int type, std::size_t length) {
  std::array<std::byte, header_bytes> header{};
  encode_header(header, static_cast<FrameType>(type), length);
  return decode_header(channel, header);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_type_is_taken_on_its_own_channel_up_to_its_own_length) {
  for (const auto& [type, known] : known_types()) {
    for (const std::size_t length : {std::size_t{0}, known.payload_bytes_max}) {
      const auto header = decode(known.channel, type, length);
      BOOST_REQUIRE_MESSAGE(header, "type " << type << " length " << length);
      BOOST_TEST(static_cast<int>(header->type) == type);
      BOOST_TEST(header->payload_bytes == length);
      BOOST_TEST(!header->optional_unknown);
    }
    for (const std::size_t length : {known.payload_bytes_max + 1, std::size_t{0xffffff}})
      BOOST_TEST((decode(known.channel, type, length).error() == Errc::too_long),
                 "type " << type << " length " << length);
  }
}

BOOST_AUTO_TEST_CASE(a_type_of_another_channel_is_unknown_whatever_its_length) {
  for (const auto& [type, known] : known_types())
    for (const auto channel : channels)
      for (const std::size_t length : {0U, 1U, 0xffffffU})
        if (channel != known.channel)
          BOOST_TEST((decode(channel, type, length).error() == Errc::unknown_type),
                     "type " << type);
}

BOOST_AUTO_TEST_CASE(a_type_that_is_not_known_is_skipped_when_optional_and_refused_otherwise) {
  for (int type = 0; type < 256; ++type) {
    if (known_types().contains(type)) continue;
    for (const auto channel : channels) {
      const auto shortest = decode(channel, type, 0);
      if (type < 0x80) {
        BOOST_TEST((shortest.error() == Errc::unknown_type), "type " << type);
        continue;
      }
      BOOST_TEST(shortest.value().optional_unknown);
      BOOST_TEST(decode(channel, type, control_payload_bytes_max).value().payload_bytes ==
                 control_payload_bytes_max);
      BOOST_TEST((decode(channel, type, control_payload_bytes_max + 1).error() == Errc::too_long));
      BOOST_TEST((decode(channel, type, 0xffffff).error() == Errc::too_long));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_frame_is_type_then_length_then_payload) {
  const auto frame = encode_frame(FrameType::alive, to_bytes("12345678"));
  BOOST_TEST(to_hex(frame) == "420000083132333435363738");
  BOOST_TEST(to_hex(encode_frame(FrameType::switch_, {})) == "32000000");
}

}  // namespace tunnel::wire
