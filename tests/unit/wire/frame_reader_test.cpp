#include "unit/wire/samples.hpp"
#include "wire/frame.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <utility>

namespace tunnel::wire {
namespace {

using Taken = std::vector<std::pair<FrameType, Bytes>>;

Bytes raw_frame(int type, std::size_t length) {
  Bytes frame(header_bytes + length, std::byte{0x5a});
  encode_header(std::span{frame}.first<header_bytes>(), static_cast<FrameType>(type), length);
  return frame;
}

void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// Takes what there is now; true unless the reader refused it.
bool drain(FrameReader& reader, Taken& taken) {
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return false;
    if (!*frame) return true;
    taken.emplace_back((*frame)->type, Bytes{(*frame)->payload.begin(), (*frame)->payload.end()});
  }
}

struct Stream {
  Bytes bytes;
  Taken frames;
};

/// Frames of many lengths, the longest and empty ones among them, with optional unknown ones
/// between.
Stream end_to_end_stream() {
  Stream stream;
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{64},
                                   std::size_t{1510}, packet_payload_bytes_max}) {
    const auto payload = samples::bytes(length);
    append(stream.bytes, encode_frame(FrameType::packet, payload));
    stream.frames.emplace_back(FrameType::packet, payload);
    append(stream.bytes, raw_frame(0x80, length % 7));
    append(stream.bytes, encode_frame(FrameType::alive, samples::bytes(8)));
    stream.frames.emplace_back(FrameType::alive, samples::bytes(8));
    append(stream.bytes, raw_frame(0xff, 0));
  }
  return stream;
}

}  // namespace

BOOST_AUTO_TEST_CASE(whatever_the_chunks_the_frames_are_the_same) {
  const auto stream = end_to_end_stream();
  std::mt19937 random{1};
  for (const std::size_t chunk_max :
       {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{1400}, stream.bytes.size()}) {
    for (int round = 0; round < (chunk_max > 2 ? 20 : 1); ++round) {
      FrameReader reader{Channel::end_to_end};
      Taken taken;
      for (std::size_t at = 0; at < stream.bytes.size();) {
        const auto chunk = chunk_max == stream.bytes.size() ? chunk_max : 1 + random() % chunk_max;
        const auto count = std::min(chunk, stream.bytes.size() - at);
        reader.feed(ByteView{stream.bytes}.subspan(at, count));
        BOOST_REQUIRE(drain(reader, taken));
        at += count;
      }
      BOOST_TEST((taken == stream.frames));
      BOOST_TEST(reader.buffered_bytes() == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_truncated_frame_is_never_given_out) {
  const auto frame = encode_frame(FrameType::confirm, samples::bytes(100));
  for (std::size_t length = 0; length < frame.size(); ++length) {
    FrameReader reader{Channel::end_to_end};
    reader.feed(ByteView{frame}.first(length));
    Taken taken;
    BOOST_TEST(drain(reader, taken));
    BOOST_TEST(taken.empty());
    BOOST_TEST(reader.buffered_bytes() == length);
  }
}

BOOST_AUTO_TEST_CASE(what_stands_before_a_bad_frame_is_given_out_and_nothing_behind_it) {
  Bytes stream = encode_frame(FrameType::alive, samples::bytes(8));
  append(stream, raw_frame(0x7f, 3));
  append(stream, encode_frame(FrameType::alive, samples::bytes(8)));
  FrameReader reader{Channel::end_to_end};
  reader.feed(stream);
  BOOST_TEST(reader.next().value().has_value());
  for (int again = 0; again < 3; ++again)
    BOOST_TEST((reader.next().error() == Errc::unknown_type));
  reader.feed(encode_frame(FrameType::alive, samples::bytes(8)));
  BOOST_TEST((reader.next().error() == Errc::unknown_type));
}

BOOST_AUTO_TEST_CASE(a_bad_header_is_refused_before_its_payload_comes) {
  FrameReader reader{Channel::control};
  reader.feed(ByteView{raw_frame(0x01, control_payload_bytes_max + 1)}.first(header_bytes));
  BOOST_TEST((reader.next().error() == Errc::too_long));
}

BOOST_AUTO_TEST_CASE(a_reader_holds_at_most_one_frame_and_what_was_fed_last) {
  const auto frame = encode_frame(FrameType::packet, samples::bytes(packet_payload_bytes_max));
  FrameReader reader{Channel::end_to_end};
  Taken taken;
  for (int round = 0; round < 3; ++round)
    for (std::size_t at = 0; at < frame.size(); at += 1000) {
      reader.feed(ByteView{frame}.subspan(at, std::min<std::size_t>(1000, frame.size() - at)));
      BOOST_TEST(reader.buffered_bytes() <= header_bytes + packet_payload_bytes_max);
      BOOST_REQUIRE(drain(reader, taken));
    }
  BOOST_TEST(taken.size() == 3);
}

BOOST_AUTO_TEST_CASE(a_reader_says_how_much_it_wants_so_that_nothing_behind_a_frame_is_taken) {
  Bytes stream = encode_frame(FrameType::inner, samples::bytes(300));
  append(stream, raw_frame(0x90, 5));
  append(stream, encode_frame(FrameType::switch_, {}));
  const auto frames_end = stream.size();
  append(stream, to_bytes("raw bytes of the inner TLS"));
  FrameReader reader{Channel::data};
  Taken taken;
  std::size_t at = 0;
  while (taken.empty() || taken.back().first != FrameType::switch_) {
    const auto wanted = reader.wanted_bytes();
    BOOST_REQUIRE(wanted > 0);
    reader.feed(ByteView{stream}.subspan(at, wanted));
    at += wanted;
    BOOST_REQUIRE(drain(reader, taken));
  }
  BOOST_TEST(at == frames_end);
  BOOST_TEST(reader.buffered_bytes() == 0);
}

}  // namespace tunnel::wire
