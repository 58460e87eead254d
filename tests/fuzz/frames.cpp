#include "fuzz/input.hpp"
#include "wire/frame.hpp"

#include <utility>
#include <vector>

/// The frame decoder on each channel: however the stream is cut, the frames are the same.
namespace {

using namespace tunnel;
using namespace tunnel::wire;

struct Outcome {
  std::vector<std::pair<FrameType, Bytes>> frames;
  boost::system::error_code error;
  std::size_t left = 0;
  bool operator==(const Outcome&) const = default;
};

void drain(FrameReader& reader, Outcome& outcome) {
  for (;;) {
    const auto frame = reader.next();
    if (!frame) {
      outcome.error = frame.error();
      FUZZ_REQUIRE(reader.next().error() == outcome.error);  // it stays in error
      return;
    }
    if (!*frame) return;
    outcome.frames.emplace_back((*frame)->type,
                                Bytes{(*frame)->payload.begin(), (*frame)->payload.end()});
  }
}

Outcome read(Channel channel, ByteView stream, std::size_t chunk) {
  Outcome outcome;
  FrameReader reader{channel};
  while (!stream.empty() && !outcome.error) {
    const auto now = std::min(chunk, stream.size());
    reader.feed(stream.first(now));
    stream = stream.subspan(now);
    drain(reader, outcome);
    FUZZ_REQUIRE(reader.buffered_bytes() <= header_bytes + packet_payload_bytes_max + chunk);
  }
  outcome.left = outcome.error ? 0 : reader.buffered_bytes();
  return outcome;
}

/// Never more than it wants: nothing behind the last frame is taken.
Outcome read_wanted(Channel channel, ByteView stream) {
  Outcome outcome;
  FrameReader reader{channel};
  while (!outcome.error) {
    const auto wanted = reader.wanted_bytes();
    FUZZ_REQUIRE(wanted > 0);
    if (wanted > stream.size()) break;
    reader.feed(stream.first(wanted));
    stream = stream.subspan(wanted);
    const auto before = outcome.frames.size();
    drain(reader, outcome);
    if (outcome.frames.size() > before) FUZZ_REQUIRE(reader.buffered_bytes() == 0);
  }
  outcome.left = outcome.error ? 0 : reader.buffered_bytes() + stream.size();
  return outcome;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const auto channel = static_cast<Channel>(input.below(4));
  const std::size_t chunk = 1 + input.below(64);
  const auto stream = input.take_rest();
  const auto whole = read(channel, stream, stream.size());
  FUZZ_REQUIRE(read(channel, stream, chunk) == whole);
  FUZZ_REQUIRE(read_wanted(channel, stream) == whole);
  for (const auto& [type, payload] : whole.frames)
    static_cast<void>(encode_frame(type, payload));
  return 0;
}
