#pragma once
#include <cstdint>
#include <string>

namespace tunnel {

/// A session's number as people and logs see it: 16 hexadecimal digits.
inline std::string format_session_id(std::uint64_t id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; id >>= 4U)
    text[i] = digits[id & 0xfU];
  return text;
}

}  // namespace tunnel
