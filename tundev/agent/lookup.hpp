#pragma once
#include "dial/order.hpp"
#include "io/asio.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace device {

namespace asio = tunnel::io::asio;
using asio::ip::tcp;
using tunnel::io::Task;

/// Why a name has no address, for a person: "its name cannot be resolved: Name or service not
/// known".
struct LookupFailure {
  std::string why;
};

// libc's resolver blocks, for as long as resolv.conf says, and nothing can wake it. So each
// question is asked in a thread of its own, which is left behind when its time is over (Asio's
// resolver has one thread, where a name that hangs stands before all others, and knows no SRV
// records).

/// Threads that still wait for an answer nobody wants any more; beyond that no question is asked.
inline constexpr int lookups_max = 8;

/// The addresses of a host, at the latest at `deadline`; of an address without asking anybody.
Task<std::variant<std::vector<tcp::endpoint>, LookupFailure>> look_up(
    HostPort server, tunnel::Clock::time_point deadline);

/// The SRV records of `name` (RFC 2782: _service._proto.domain).
///
/// @return empty: there is none; nothing: no answer until `deadline`
Task<std::optional<std::vector<SrvRecord>>> look_up_srv(std::string name,
                                                        tunnel::Clock::time_point deadline);

}  // namespace device
