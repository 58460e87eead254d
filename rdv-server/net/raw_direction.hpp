#pragma once
#include "io/leg_socket.hpp"
#include "net/moderation.hpp"
#include "net/pipe_pool.hpp"

namespace rdv {

/// What has gone through one direction.
struct Carried {
  std::uint64_t bytes = 0;
  tunnel::Clock::time_point last{};  ///< when bytes moved last
};

/// Carries one direction of a relay that has left TLS: bytes from socket to socket, unread, within
/// the kernel. A receiver that takes nothing holds up its own direction alone.
class RawDirection {
 public:
  struct Surroundings {
    PipePool& pipes;
    Moderation& moderation;
  };
  enum class Whose { nobody, sender, receiver };
  /// nobody: one of the sockets was closed by us. sender, eof: it has ended its stream, and the
  /// receiver has all of it.
  struct End {
    Whose whose = Whose::nobody;
    error_code why{};
  };

  /// All must outlive run(). Both sockets are non-blocking.
  RawDirection(tcp::socket& from, tcp::socket& to, Carried& carried, Surroundings around)
      : from_{from}, to_{to}, carried_{carried}, around_{around} {}

  /// @throws std::system_error  no descriptor left for a pipe
  Task<End> run();

 private:
  bool looks_later();
  bool is_open() const { return from_.is_open() && to_.is_open(); }

  tcp::socket& from_;
  tcp::socket& to_;
  Carried& carried_;
  Surroundings around_;
  tunnel::io::LossWatch losses_;  ///< on the way to the receiver
  std::size_t turn_bytes_ = 0;    ///< since others had their turn
  bool found_something_ = false;  ///< since we last waited for a socket
};

}  // namespace rdv
