#pragma once
#include "actions.hpp"
#include "broker.hpp"
#include "net/guest.hpp"

#include <optional>
#include <string>

namespace rdv {

/// One device's control connection: frames in, to the broker; messages out, through a bounded
/// outbox. It is made for waiting: idle, it holds the TLS state, one suspended read and no buffer
/// (measured by the `idle devices` test).
class ControlConnection {
 public:
  /// Unsent bytes. A listing of some thousand onsites fits; a device that takes nothing is closed.
  static constexpr std::size_t outbox_bytes_max = std::size_t{1} << 20U;

  struct Surroundings {
    Broker& broker;
    ActionSink& sink;
    Deadlines& deadlines;
    Scratch scratch;
  };

  ControlConnection(ConnectionId id, Guest guest, Surroundings around);
  ControlConnection(ControlConnection&&) = delete;

  /// Serves it until it has ended. @return why, for the log
  Task<std::string> run();
  /// Never waits. Writes what the socket takes at once; the rest when it takes more.
  void send(const tunnel::wire::ControlMessage& message);
  /// Sends `goodbye` behind the outbox, takes no further message, and ends when the peer has
  /// closed, at the latest after last_words_timeout.
  void close(const std::optional<tunnel::wire::Goodbye>& goodbye);

 private:
  void take_in(tunnel::ByteView bytes);
  void take_frames();
  void flush();
  void wait_to_write();
  void cut();

  ConnectionId id_;
  Guest guest_;
  Surroundings around_;
  tunnel::wire::FrameReader reader_{tunnel::wire::Channel::control};
  tunnel::Bytes outbox_;
  bool writing_ = false;  ///< a wait for room in the socket is under way
  bool closing_ = false;
  bool ended_ = false;  ///< the end of our stream is sent, or the connection cut
  std::string why_;
  std::optional<Deadline> last_words_;
};

}  // namespace rdv
