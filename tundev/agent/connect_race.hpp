#pragma once
#include "base/clock.hpp"
#include "io/asio.hpp"

#include <string>
#include <variant>
#include <vector>

namespace device {

namespace asio = tunnel::io::asio;
using asio::ip::tcp;
using tunnel::io::Task;

/// Why there is no connection, for a person: "connection refused".
struct DialFailure {
  std::string why;
  bool is_final = false;          ///< another server would not help
  bool is_login_refused = false;  ///< the proxy's: each further attempt may lock the account
};

/// The next address is tried so long after the last one, or as soon as that has failed (RFC 8305,
/// section 8: recommended 250 ms).
inline constexpr auto attempt_delay = std::chrono::milliseconds{250};
/// One address: three SYNs of Linux (0, 1, 3 s).
inline constexpr auto attempt_timeout = std::chrono::seconds{5};

/// "Happy eyeballs" (RFC 8305, section 5): the addresses are tried one after the other, in their
/// order, without waiting for those before; the first that connects wins, the others are closed.
///
/// @return when none has connected: why the last one failed, at the latest at `deadline`
Task<std::variant<tcp::socket, DialFailure>> connect_first(std::vector<tcp::endpoint> endpoints,
                                                           tunnel::Clock::time_point deadline);

}  // namespace device
