#pragma once
#include "base/ipv4.hpp"

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>

namespace rdv {

/// The /30 networks of wire::tunnel_pool, one for each session. Pure.
class TunnelPool {
 public:
  static constexpr std::size_t size = std::size_t{1} << 13U;  ///< /30s in a /17

  /// A /30 that nobody has and that overlaps none of `never`; one that overlaps none of
  /// `rather_not` either, if there is. It goes round the pool, so that an address comes back as
  /// late as possible.
  std::optional<tunnel::Ipv4Prefix> take(std::span<const tunnel::Ipv4Prefix> never,
                                         std::span<const tunnel::Ipv4Prefix> rather_not);
  /// Takes exactly this one. @return false when somebody has it, or when it is none of the pool
  bool reserve(const tunnel::Ipv4Prefix& tunnel);
  void give_back(const tunnel::Ipv4Prefix& tunnel);
  std::size_t taken() const { return taken_.count(); }

 private:
  std::optional<std::size_t> find(std::span<const tunnel::Ipv4Prefix> never,
                                  std::span<const tunnel::Ipv4Prefix> rather_not) const;
  std::bitset<size> taken_;
  std::size_t next_ = 0;
};

}  // namespace rdv
