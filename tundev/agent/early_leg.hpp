#pragma once
#include "agent/dial.hpp"
#include "agent/identity.hpp"
#include "agent/wakeup.hpp"
#include "io/tls_socket.hpp"

#include <memory>
#include <optional>

namespace device {

/// A data leg that is begun while the grant is still on its way: TCP and the outer TLS, nothing of
/// a session yet. Saves the round trips of both: two of a master's, one of an onsite's. Whatever
/// goes wrong here is no error: the leg is then made when the grant is there.
class EarlyLeg {
 public:
  /// A leg without a session is closed by the server after wire::authenticated_timeout; well before
  /// that nobody should rely on it any more.
  static constexpr auto lifetime = std::chrono::seconds{5};

  /// Begins at once. @param way  the control connection's
  EarlyLeg(const Identity& identity, Way way, bool check_dates,
           const asio::any_io_executor& executor);
  EarlyLeg(EarlyLeg&&) = default;
  EarlyLeg& operator=(EarlyLeg&&) = default;
  ~EarlyLeg();

  /// Waits until it is ready or has failed, at most `patience`; gives it away once.
  Task<std::optional<tunnel::io::TlsSocket>> take(Clock::duration patience = lifetime);

 private:
  struct State;
  static Task<> make(std::shared_ptr<State> state, Way way);

  std::shared_ptr<State> state_;
};

}  // namespace device
