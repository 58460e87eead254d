#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

/// Loads and stores unsigned numbers of fixed size in network (big endian) byte order.
namespace tunnel {

/// Reads sizeof(T) bytes from the start of `in`, which must hold that many.
template <std::unsigned_integral T>
constexpr T load_big_endian(std::span<const std::byte> in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(static_cast<T>(value << 8U) | std::to_integer<T>(in[i]));
  return value;
}

/// Writes sizeof(T) bytes to the start of `out`, which must hold that many.
template <std::unsigned_integral T>
constexpr void store_big_endian(std::span<std::byte> out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8U))
    out[i] = static_cast<std::byte>(value & 0xffU);
}

/// The 24-bit length of a frame header.
constexpr std::uint32_t load_big_endian24(std::span<const std::byte, 3> in) {
  return std::to_integer<std::uint32_t>(in[0]) << 16U |
         std::to_integer<std::uint32_t>(in[1]) << 8U | std::to_integer<std::uint32_t>(in[2]);
}
constexpr void store_big_endian24(std::span<std::byte, 3> out, std::uint32_t value) {
  out[0] = static_cast<std::byte>(value >> 16U & 0xffU);
  out[1] = static_cast<std::byte>(value >> 8U & 0xffU);
  out[2] = static_cast<std::byte>(value & 0xffU);
}

}  // namespace tunnel
