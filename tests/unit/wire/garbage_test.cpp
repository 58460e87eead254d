#include "unit/wire/samples.hpp"
#include "wire/enrolment_code.hpp"
#include "wire/packet.hpp"

#include <random>

namespace tunnel::wire {
namespace {

/// Gives `bytes` to every decoder there is: none may crash, and what one takes must encode again.
void decode_as_everything(ByteView bytes) {
  for (int type = 0; type < 0x50; ++type) {
    if (const auto control = decode_control(static_cast<FrameType>(type), bytes))
      static_cast<void>(encode(*control));
    if (const auto enroll = decode_enroll(static_cast<FrameType>(type), bytes))
      static_cast<void>(encode(*enroll));
  }
  if (const auto grant = decode_grant(bytes)) static_cast<void>(encode_grant(*grant));
  if (const auto attach = decode_attach(bytes)) static_cast<void>(encode(*attach));
  if (const auto confirm = decode_confirm(bytes)) static_cast<void>(encode(*confirm));
  if (const auto close = decode_close(bytes)) static_cast<void>(encode_bye(*close));
  static_cast<void>(check_packet(bytes));
  static_cast<void>(EnrolmentCode::parse(as_text(bytes)));
}

std::vector<Bytes> all_payloads() {
  std::vector<Bytes> all{encode_grant(samples::grant())};
  const auto add = [&](const Bytes& frame) {
    const auto payload = samples::payload_of(frame);
    all.emplace_back(payload.begin(), payload.end());
  };
  for (const auto& message : samples::control_messages())
    add(encode(message));
  add(encode(Attach{1, 1}));
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_bytes_never_crash_a_decoder) {
  std::mt19937 random{2};
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes(random() % 200);
    for (auto& byte : bytes)
      byte = static_cast<std::byte>(random());
    decode_as_everything(bytes);
  }
}

BOOST_AUTO_TEST_CASE(a_message_with_a_changed_byte_never_crashes_a_decoder) {
  std::mt19937 random{3};
  for (const auto& payload : all_payloads())
    for (int round = 0; round < 300; ++round) {
      auto changed = payload;
      if (changed.empty()) break;
      changed[random() % std::min<std::size_t>(changed.size(), 400)] =
          static_cast<std::byte>(random());
      decode_as_everything(changed);
    }
}

BOOST_AUTO_TEST_CASE(a_message_cut_short_never_crashes_a_decoder) {
  for (const auto& payload : all_payloads())
    for (std::size_t length = 0; length < std::min<std::size_t>(payload.size(), 400); ++length)
      decode_as_everything(ByteView{payload}.first(length));
}

}  // namespace tunnel::wire
