#pragma once
#include "base/bytes.hpp"
#include "base/endian.hpp"

#include <cstddef>
#include <cstdint>

namespace tunnel::core {

/// The one's complement sum of RFC 1071 over an even number of bytes, folded and not inverted.
///
/// @param sum  of what goes before
inline std::uint16_t internet_sum(ByteView bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += load_big_endian<std::uint16_t>(bytes.subspan(i, 2));
  while ((sum >> 16U) != 0)
    sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

/// RFC 1071's checksum.
inline std::uint16_t internet_checksum(ByteView bytes) {
  return static_cast<std::uint16_t>(~internet_sum(bytes) & 0xffffU);
}

}  // namespace tunnel::core
