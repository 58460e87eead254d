#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tunnel {

/// One IPv4 address, in host byte order.
struct Ipv4Address {
  std::uint32_t value = 0;

  /// Dotted quad only ("192.168.1.50"); nothing else is taken.
  static std::optional<Ipv4Address> parse(std::string_view text);
  std::string str() const;
  auto operator<=>(const Ipv4Address&) const = default;
};

/// An address and the length of its network's prefix: "192.168.1.10/24" (RFC 4632). The address may
/// have host bits.
struct Ipv4Prefix {
  Ipv4Address address;
  std::uint8_t length = 32;  ///< 0 to 32

  /// "192.168.1.0/24"; without a slash the length is 32.
  static std::optional<Ipv4Prefix> parse(std::string_view text);
  std::string str() const;
  std::uint32_t mask() const { return length == 0 ? 0 : ~std::uint32_t{0} << (32U - length); }
  /// The same network without host bits.
  Ipv4Prefix network() const { return {{address.value & mask()}, length}; }
  bool contains(Ipv4Address other) const {
    return (other.value & mask()) == (address.value & mask());
  }
  bool overlaps(const Ipv4Prefix& other) const {
    return contains(other.address) || other.contains(address);
  }
  auto operator<=>(const Ipv4Prefix&) const = default;
};

}  // namespace tunnel
