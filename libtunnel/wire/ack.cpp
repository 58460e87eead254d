#include "wire/ack.hpp"

#include "base/endian.hpp"
#include "wire/errc.hpp"

#include <algorithm>
#include <limits>

namespace tunnel::wire {
namespace {

constexpr std::byte lossy_flag{1};  ///< the other bits are for later: zero, and not looked at

}  // namespace

Result<Ack> decode_ack(ByteView payload) {
  if (payload.size() != ack_payload_bytes) return Errc::malformed;
  return Ack{load_big_endian<std::uint64_t>(payload.first<8>()),
             std::chrono::microseconds{load_big_endian<std::uint32_t>(payload.subspan<8, 4>())},
             (payload[12] & lossy_flag) != std::byte{0}};
}

std::array<std::byte, ack_payload_bytes> encode_ack(const Ack& ack) {
  std::array<std::byte, ack_payload_bytes> out{};
  store_big_endian(std::span{out}.first<8>(), ack.received_bytes);
  const auto held =
      std::clamp<std::int64_t>(ack.held.count(), 0, std::numeric_limits<std::uint32_t>::max());
  store_big_endian(std::span{out}.subspan<8, 4>(), static_cast<std::uint32_t>(held));
  if (ack.lossy) out[12] = lossy_flag;
  return out;
}

}  // namespace tunnel::wire
