#pragma once
#include "event.hpp"
#include "kept_session.hpp"
#include "registry.hpp"
#include "wire/messages.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What the broker wants done; `io` does it in order, within the same turn of the event loop.
namespace rdv {

/// Put the message into the connection's outbox.
struct SendTo {
  ConnectionId connection;
  tunnel::wire::ControlMessage message;
};
/// Send the Goodbye behind what is in the outbox, if there is one, and close. The broker has
/// forgotten the connection already: whatever still comes from it is ignored, on_disconnected() may
/// be called or not.
struct CloseConnection {
  ConnectionId connection;
  std::optional<tunnel::wire::Goodbye> goodbye;
};
/// Both legs of this session and epoch are attached: carry their bytes.
struct StartRelay {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
};
/// Close whatever legs this session has, attached or relaying: Detach{code, text} where a leg's
/// direction has not been switched. The session is over, or interrupted until its next epoch;
/// on_leg_closed() for these legs is ignored.
struct StopRelay {
  std::uint64_t session = 0;
  tunnel::wire::CloseCode code = tunnel::wire::CloseCode::operator_;
  std::string text;
};
/// Write the session down, in place of what was there of it, before the grant is sent: a server
/// that is started anew goes on with it. When that fails the session lives as long as this server.
struct KeepSession {
  KeptSession session;
};
/// It is over: no server goes on with it.
struct DropSession {
  std::uint64_t session = 0;
};
/// Log (and later audit) it: log_event().
struct Note {
  Event event;
};

using Action =
    std::variant<SendTo, CloseConnection, StartRelay, StopRelay, KeepSession, DropSession, Note>;
using Actions = std::vector<Action>;

/// Who carries actions out: the server; a recorder in tests.
class ActionSink {
 public:
  virtual ~ActionSink() = default;
  virtual void run(Actions actions) = 0;
};

}  // namespace rdv
