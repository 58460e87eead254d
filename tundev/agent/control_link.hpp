#pragma once
#include "agent/wakeup.hpp"
#include "core/keepalive.hpp"
#include "io/tls_socket.hpp"
#include "wire/messages.hpp"

#include <deque>
#include <functional>
#include <string>

namespace device {

namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;

/// One connection of `rdv-control/1`, from the connected socket to its end: frames in, frames out,
/// and a keep-alive. What the messages mean is core::DeviceControl's to say.
class ControlLink {
 public:
  using OnMessage = std::function<void(const wire::ControlMessage&)>;

  /// Messages that wait to be sent; a server that takes none for so long is dead.
  static constexpr std::size_t outbox_messages_max = 256;
  /// close() to the end of run().
  static constexpr auto close_timeout = std::chrono::seconds{2};
  /// While a session waits for this connection: TLS, and Welcome, are given up after this; and
  /// after so long a silence the server is asked.
  static constexpr auto impatient_timeout = std::chrono::seconds{5};
  static constexpr auto impatient_ping_after = std::chrono::seconds{3};

  ControlLink(asio::ip::tcp::socket socket, const crypto::TlsContext& context, OnMessage on_message)
      : tls_{std::move(socket), context},
        on_message_{std::move(on_message)},
        outbox_wakeup_{tls_.get_executor()},
        watch_wakeup_{tls_.get_executor()} {}

  /// Within wire::authenticated_timeout, or impatient_timeout. @return "" or why it failed
  Task<std::string> handshake();
  /// Reads, writes and watches until the connection ends. @return why it ended
  Task<std::string> run();

  void send(const wire::ControlMessage& message);
  /// Ends run() when what is queued was sent, or after close_timeout.
  void close(std::string why);
  /// Ends run() at once, without a word: the connection is dead, whatever TCP hopes.
  void abandon(std::string why);
  /// The Welcome came: from now on the server is asked after this silence.
  void on_online(std::chrono::seconds ping_after);
  /// A session waits for this connection, or no longer: asks the server now, and after each short
  /// silence.
  void set_impatient(bool impatient);
  /// Asks the server now; it answers within wire::impatient_pong_timeout, or is lost.
  void check();

  /// After handshake() failed: the server's certificate is good but for the dates.
  bool failed_for_dates() const;
  /// Whether the server's certificate is valid at `now`.
  bool server_is_valid_at(tunnel::UnixSeconds now) const;
  SSL* ssl() const { return tls_.ssl(); }
  /// Our end.
  std::optional<asio::ip::address> own_address();

 private:
  Task<> read();
  Task<> write();
  Task<> watch();
  tunnel::Clock::time_point next_deadline() const;
  tunnel::Clock::duration greeting_timeout() const;
  void begin_keepalive();
  /// @return false when the connection is to be closed
  bool take(tunnel::ByteView bytes);
  void fail(std::string why);
  std::string why_it_broke(tunnel::io::error_code ec) const;

  tunnel::io::TlsSocket tls_;
  OnMessage on_message_;
  Wakeup outbox_wakeup_, watch_wakeup_;
  wire::FrameReader reader_{wire::Channel::control};
  std::deque<tunnel::Bytes> outbox_;
  std::optional<tunnel::core::Keepalive> keepalive_;
  std::chrono::seconds ping_after_{};
  std::optional<Clock::time_point> check_ends_;  ///< of check()
  bool impatient_ = false;
  Clock::time_point deadline_;  ///< of Welcome, later of close()
  std::uint64_t pings_ = 0;
  bool closing_ = false;
  std::string why_;
};

}  // namespace device
