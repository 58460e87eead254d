#pragma once
#include "core/relay_handoff.hpp"
#include "io/tls_socket.hpp"
#include "net/deadlines.hpp"
#include "net/guest.hpp"
#include "net/raw_direction.hpp"
#include "wire/messages.hpp"

#include <array>
#include <optional>
#include <string>

namespace rdv {

/// Carries the bytes of one session between its two legs (DESIGN 4): frames of the outer TLS as
/// RelayHandoff says, then ciphertext from socket to socket with splice(2). It cannot read what it
/// carries, and knows nothing of who may.
///
/// Each direction is a coroutine of its own, so that a receiver that takes nothing holds up its own
/// direction alone.
class Relay {
 public:
  using Side = tunnel::wire::Role;
  using CloseCode = tunnel::wire::CloseCode;

  struct Settings {
    tunnel::Clock::duration switched_within =
        tunnel::wire::attach_timeout;  ///< from the first leg to both directions raw
    tunnel::Clock::duration idle = std::chrono::seconds{60};  ///< no byte in either direction
  };

  /// What the broker must know. Called from within run(); may call stop().
  class Events {
   public:
    virtual ~Events() = default;
    /// A leg has ended by itself; the other one is told by the end of its stream.
    virtual void on_leg_closed(Relay& relay, Side side) = 0;
    /// The relay cannot or must not go on.
    virtual void on_gave_up(Relay& relay, CloseCode code, std::string_view why) = 0;
  };

  struct Surroundings {
    asio::any_io_executor executor;
    Deadlines& deadlines;
    PipePool& pipes;
    Moderation& moderation;
    Scratch scratch;
    Events& events;
  };

  Relay(std::uint64_t session, std::uint32_t epoch, Settings settings, Surroundings around);
  Relay(Relay&&) = delete;

  /// A leg has attached: its TLS connection, and the reader that its Attach came from. Each side
  /// once.
  void adopt(Side side, tunnel::io::TlsSocket tls, tunnel::wire::FrameReader reader);
  /// Returns when both legs are closed.
  Task<> run();
  /// Closes both legs at once; a leg that still takes frames of ours is told why.
  void stop(CloseCode code, std::string_view text);

  std::uint64_t session() const noexcept { return session_; }
  std::uint32_t epoch() const noexcept { return epoch_; }
  /// Both directions have left TLS.
  bool is_raw() const { return handoff_.is_raw(Side::master) && handoff_.is_raw(Side::onsite); }
  /// What came from that leg since its direction is raw, and went to the other.
  std::uint64_t carried_bytes(Side from) const { return leg(from).carried.bytes; }

 private:
  struct Leg {
    std::optional<tcp::socket> socket;
    tunnel::crypto::SslHandle ssl;  ///< until both directions have left TLS
    Carried carried;                ///< of the direction that begins here, since it is raw
    bool over = false;              ///< the direction that begins here has ended
  };
  /// How one direction ended.
  struct End {
    enum class Kind { stopped, leg_gone, gave_up };
    Kind kind = Kind::stopped;
    Side whose{};  ///< of leg_gone
    error_code why{};
  };
  /// What became of an operation that does not wait.
  enum class Progress { some, would_wait, failed };

  Task<> carry(Side from);
  Task<End> carry_both_phases(Side from);
  Task<std::optional<End>> carry_frames(Side from);
  Task<End> carry_raw(Side from);
  tunnel::Clock::time_point last_moved() const;
  Task<> wait_for(Side side, tcp::socket::wait_type what);
  Progress write_frames(Side to);
  Progress read_frames(Side from, error_code& broken);
  void leave_tls(Side from);
  void end_direction(Side from, const End& end);
  void give_up(CloseCode code, std::string_view why);
  void on_deadline();
  void close_legs();
  void say(Side to, const tunnel::Bytes& last_words);
  int fd(Side side) { return leg(side).socket->native_handle(); }

  static constexpr Side other(Side side) { return tunnel::core::RelayHandoff::other(side); }
  Leg& leg(Side side) { return legs_[side == Side::master ? 0 : 1]; }
  const Leg& leg(Side side) const { return legs_[side == Side::master ? 0 : 1]; }

  std::uint64_t session_;
  std::uint32_t epoch_;
  Settings settings_;
  Surroundings around_;
  tunnel::core::RelayHandoff handoff_;
  std::array<Leg, 2> legs_;
  Signal changed_;  ///< a leg came or the relay stopped
  Deadline deadline_;
  bool stopped_ = false;  ///< both sockets are closed: nobody touches them any more
  bool ending_ = false;   ///< one direction has ended; the other has `end_timeout` left
};

}  // namespace rdv
