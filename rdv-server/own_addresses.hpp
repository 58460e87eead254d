#pragma once
#include "base/ipv4.hpp"
#include "config.hpp"

#include <vector>

namespace rdv {

/// The server's IPv4 addresses, which no session may reach: those of its interfaces (loopback
/// excepted) and what `public_address` resolves to. At most `own_addresses_max`. Resolving may
/// block: call it before serving.
inline constexpr std::size_t own_addresses_max = 16;
std::vector<tunnel::Ipv4Address> own_addresses(const Config& config);

}  // namespace rdv
