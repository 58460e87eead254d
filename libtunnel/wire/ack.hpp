#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"

#include <array>
#include <chrono>
#include <cstdint>

namespace tunnel::wire {

/// How far the other end has come with our packets: the credit of the inner session
/// (docs/PROTOCOL.md, 8).
struct Ack {
  std::uint64_t received_bytes = 0;  ///< of `packet` frames, headers included, since Confirm
  std::chrono::microseconds held{};  ///< from the last of these bytes until this was written
  bool lossy = false;  ///< the TCP connection that brings them loses segments, second after second
};

inline constexpr std::size_t ack_payload_bytes = 13;

/// @retval Errc::malformed  not `ack_payload_bytes` long
Result<Ack> decode_ack(ByteView payload);
std::array<std::byte, ack_payload_bytes> encode_ack(const Ack& ack);

}  // namespace tunnel::wire
