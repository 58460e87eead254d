#pragma once
#include "base/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace tunnel::net {

/// One IPv4 address. 0.0.0.0 stands for "none" where a comment says so.
struct Ipv4Address {
  std::uint32_t value = 0;  ///< in host byte order

  friend auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
};

/// An address and the length of its network, as ip(8) writes it: "192.168.38.225/29".
struct Ipv4Prefix {
  Ipv4Address address;      ///< may have host bits set, as an interface's address has
  std::uint8_t length = 0;  ///< 0-32 bits

  std::uint32_t mask() const { return length == 0 ? 0U : ~0U << (32U - length); }
  /// The same network with the host bits cleared: 192.168.38.224/29.
  Ipv4Prefix network() const { return {{address.value & mask()}, length}; }
  bool contains(Ipv4Address other) const { return ((address.value ^ other.value) & mask()) == 0; }

  friend auto operator<=>(const Ipv4Prefix&, const Ipv4Prefix&) = default;
};

/// Reads "192.168.1.10"; nothing before or after it, no leading zeros, four numbers.
/// @retval errc::invalid_argument  the text is anything else
Result<Ipv4Address> parse_ipv4_address(std::string_view text);

/// Reads "192.168.1.10/24"; without the length it is 32.
/// @retval errc::invalid_argument  the text is anything else
Result<Ipv4Prefix> parse_ipv4_prefix(std::string_view text);

std::string to_string(Ipv4Address address);
std::string to_string(const Ipv4Prefix& prefix);

}  // namespace tunnel::net
