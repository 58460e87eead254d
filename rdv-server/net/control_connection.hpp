#pragma once
#include "actions.hpp"
#include "broker.hpp"
#include "net/guest.hpp"

#include <optional>
#include <string>

namespace rdv {

/// One device's control connection: frames in, to the broker; messages out, through a bounded
/// outbox.
///
/// It is made for waiting, and so the one connection that is no coroutine: idle, it holds the TLS
/// state and one wait on its socket, and no buffer. (Measured: suspended coroutines from accept
/// down to the read cost 4.8 KiB for each device.)
class ControlConnection {
 public:
  /// Unsent bytes. A listing of some thousand onsites fits; a device that takes nothing is closed.
  static constexpr std::size_t outbox_bytes_max = std::size_t{1} << 20U;

  class Owner {
   public:
    virtual ~Owner() = default;
    /// The connection has ended and may be destroyed now: nothing refers to it any more.
    virtual void on_ended(ConnectionId id, std::string why) = 0;
  };

  struct Surroundings {
    Broker& broker;
    ActionSink& sink;
    Deadlines& deadlines;
    Scratch scratch;
    Owner& owner;
  };

  /// `around` must outlive it.
  ControlConnection(ConnectionId id, Guest guest, const Surroundings& around);
  ControlConnection(ControlConnection&&) = delete;

  /// Begins to read. Ends with Owner::on_ended(), never from within a call of ours.
  void start() { wait_to_read(); }
  /// Never waits. Writes what the socket takes at once; the rest when it takes more.
  void send(const tunnel::wire::ControlMessage& message);
  /// Sends `goodbye` behind the outbox, takes no further message, and ends when the peer has
  /// closed, at the latest after last_words_timeout.
  void close(const std::optional<tunnel::wire::Goodbye>& goodbye);

 private:
  void wait_to_read();
  void on_readable();
  bool take_frame();
  void end(const error_code& why);
  void flush();
  void wait_to_write();
  void cut();

  ConnectionId id_;
  const Surroundings& around_;
  tunnel::io::TlsSocket socket_;
  std::unique_ptr<HalfOpen> half_open_;  ///< until its first message
  tunnel::wire::FrameReader reader_{tunnel::wire::Channel::control};
  tunnel::Bytes outbox_;
  std::string why_;  ///< it ends
  std::unique_ptr<Deadline> last_words_;
  bool reading_ = false, writing_ = false;  ///< a wait on the socket is under way
  bool closing_ = false;                    ///< no message is taken any more
  bool ended_ = false;                      ///< the end of our stream is sent
  bool cut_ = false;                        ///< nothing is read any more
};

}  // namespace rdv
