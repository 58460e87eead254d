#include "net/ipv4.hpp"

#include <fmt/format.h>

#include <charconv>

namespace tunnel::net {
namespace {

constexpr auto bad_text = boost::system::errc::invalid_argument;

/// Takes a decimal number of at most `max` off the front of `text`; false when there is none.
bool take_number(std::string_view& text, unsigned max, unsigned& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || number > max || (digits > 1 && text.front() == '0')) return false;
  text.remove_prefix(digits);
  return true;
}

}  // namespace

Result<Ipv4Address> parse_ipv4_address(std::string_view text) {
  Ipv4Address address;
  for (int byte = 0; byte < 4; ++byte) {
    if (byte > 0) {
      if (!text.starts_with('.')) return make_error_code(bad_text);
      text.remove_prefix(1);
    }
    unsigned number = 0;
    if (!take_number(text, 255, number)) return make_error_code(bad_text);
    address.value = address.value << 8U | number;
  }
  if (!text.empty()) return make_error_code(bad_text);
  return address;
}

Result<Ipv4Prefix> parse_ipv4_prefix(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ipv4_address(text.substr(0, slash));
  if (!address) return address.error();
  if (slash == std::string_view::npos) return Ipv4Prefix{*address, 32};
  text.remove_prefix(slash + 1);
  unsigned length = 0;
  if (!take_number(text, 32, length) || !text.empty()) return make_error_code(bad_text);
  return Ipv4Prefix{*address, static_cast<std::uint8_t>(length)};
}

std::string to_string(Ipv4Address address) {
  const auto v = address.value;
  return fmt::format("{}.{}.{}.{}", v >> 24U, v >> 16U & 0xffU, v >> 8U & 0xffU, v & 0xffU);
}

std::string to_string(const Ipv4Prefix& prefix) {
  return fmt::format("{}/{}", to_string(prefix.address), prefix.length);
}

}  // namespace tunnel::net
