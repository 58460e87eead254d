#include "base/ipv4.hpp"

#include <charconv>

namespace tunnel {
namespace {

/// Takes a decimal number of at most `max` without leading zeros off the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t max) {
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (ec != std::errc{} || value > max || (digits > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

}  // namespace

std::optional<Ipv4Address> Ipv4Address::parse(std::string_view text) {
  Ipv4Address address;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
    const auto number = take_number(text, 255);
    if (!number) return std::nullopt;
    address.value = address.value << 8U | *number;
  }
  if (!text.empty()) return std::nullopt;
  return address;
}

std::string Ipv4Address::str() const {
  return std::to_string(value >> 24U) + '.' + std::to_string(value >> 16U & 0xffU) + '.' +
         std::to_string(value >> 8U & 0xffU) + '.' + std::to_string(value & 0xffU);
}

std::optional<Ipv4Prefix> Ipv4Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = Ipv4Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Ipv4Prefix{*address, 32};
  auto rest = text.substr(slash + 1);
  const auto length = take_number(rest, 32);
  if (!length || !rest.empty()) return std::nullopt;
  return Ipv4Prefix{*address, static_cast<std::uint8_t>(*length)};
}

std::string Ipv4Prefix::str() const {
  return address.str() + '/' + std::to_string(length);
}

}  // namespace tunnel
