#include "wire/messages.hpp"

#include "fuzz/input.hpp"
#include "wire/ack.hpp"

#include <algorithm>

/// Every message decoder: what it takes can be encoded, and the encoding is taken and encoded the
/// same again.
namespace {

using namespace tunnel;
using namespace tunnel::wire;

ByteView payload_of(const Bytes& frame) {
  return ByteView{frame}.subspan(header_bytes);
}

template <class Decode, class Encode>
void round_trip(ByteView payload, Decode decode, Encode encode_again) {
  const auto first = decode(payload);
  if (!first) return;
  const Bytes frame = encode_again(*first);
  const auto second = decode(payload_of(frame));
  FUZZ_REQUIRE(second.has_value());
  FUZZ_REQUIRE(encode_again(*second) == frame);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const auto type = static_cast<FrameType>(input.take());
  const auto payload = input.take_rest();
  if (payload.size() > control_payload_bytes_max) return 0;
  switch (type) {
    case FrameType::attach:
      round_trip(payload, decode_attach, [](const Attach& m) { return encode(m); });
      break;
    case FrameType::confirm:
      round_trip(payload, decode_confirm, [](const Confirm& m) { return encode(m); });
      break;
    case FrameType::ack:
      if (const auto ack = decode_ack(payload)) {
        const auto again = decode_ack(encode_ack(*ack));
        FUZZ_REQUIRE(again && again->received_bytes == ack->received_bytes);
        FUZZ_REQUIRE(again->held == ack->held && again->lossy == ack->lossy);
      }
      break;
    case FrameType::bye: round_trip(payload, decode_close, encode_bye); break;
    case FrameType::detach: round_trip(payload, decode_close, encode_detach); break;
    case FrameType::enroll:
    case FrameType::enrolled:
    case FrameType::enroll_refused:
      round_trip(
          payload, [&](ByteView in) { return decode_enroll(type, in); },
          [](const EnrollMessage& m) { return encode(m); });
      break;
    default:
      round_trip(
          payload, [&](ByteView in) { return decode_control(type, in); },
          [](const ControlMessage& m) { return encode(m); });
  }
  return 0;
}
