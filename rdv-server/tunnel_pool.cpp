#include "tunnel_pool.hpp"

#include "wire/limits.hpp"

#include <algorithm>

namespace rdv {

using tunnel::Ipv4Prefix;

namespace {

Ipv4Prefix nth(std::size_t index) {
  return {{tunnel::wire::tunnel_pool + static_cast<std::uint32_t>(index) * 4}, 30};
}

/// At least TunnelPool::size when it is none of the pool.
std::size_t index_of(const Ipv4Prefix& tunnel) {
  return (tunnel.address.value - tunnel::wire::tunnel_pool) / 4;
}

bool overlaps_one_of(const Ipv4Prefix& tunnel, std::span<const Ipv4Prefix> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const Ipv4Prefix& prefix) { return prefix.overlaps(tunnel); });
}

}  // namespace

std::optional<Ipv4Prefix> TunnelPool::take(std::span<const Ipv4Prefix> never,
                                           std::span<const Ipv4Prefix> rather_not) {
  auto index = find(never, rather_not);
  if (!index) index = find(never, {});
  if (!index) return std::nullopt;
  taken_.set(*index);
  next_ = (*index + 1) % size;
  return nth(*index);
}

std::optional<std::size_t> TunnelPool::find(std::span<const Ipv4Prefix> never,
                                            std::span<const Ipv4Prefix> rather_not) const {
  for (std::size_t i = 0; i < size; ++i) {
    const auto index = (next_ + i) % size;
    if (taken_.test(index)) continue;
    const auto tunnel = nth(index);
    if (!overlaps_one_of(tunnel, never) && !overlaps_one_of(tunnel, rather_not)) return index;
  }
  return std::nullopt;
}

bool TunnelPool::reserve(const Ipv4Prefix& tunnel) {
  const auto index = index_of(tunnel);
  if (index >= size || nth(index) != tunnel || taken_.test(index)) return false;
  taken_.set(index);
  return true;
}

void TunnelPool::give_back(const Ipv4Prefix& tunnel) {
  if (const auto index = index_of(tunnel); index < size) taken_.reset(index);
}

}  // namespace rdv
