#pragma once
#include "io/tls_socket.hpp"
#include "net/half_open.hpp"
#include "wire/frame.hpp"

#include <memory>
#include <span>
#include <string>

namespace rdv {

/// A connection whose TLS handshake is done and that has not said anything yet.
struct Guest {
  tunnel::io::TlsSocket socket;
  std::unique_ptr<HalfOpen>
      half_open;        ///< until it has said who it is; before `socket` in destruction
  std::string address;  ///< of the peer, without port
};

/// Where bytes are read to: one buffer for all connections of a thread, since what read_some()
/// gives is consumed before anything else runs. An idle connection holds no buffer of its own.
using Scratch = std::span<std::byte>;
/// One TLS record (RFC 8446, 5.1).
inline constexpr std::size_t scratch_bytes = 16 * 1024;

/// What came on a connection, without waiting.
///
/// @retval asio::error::would_block  nothing has come
/// @retval anything else             the connection is over
tunnel::Result<std::size_t> try_read(tunnel::io::TlsSocket& socket, Scratch scratch);

/// The first frame of a connection that sends one and then waits for us.
///
/// @return the frame; its payload is valid until `reader` is used again
/// @retval wire::Errc     not a frame of this channel, or too much before it
/// @retval anything else  as TlsSocket::read_some()
Task<tunnel::Result<tunnel::wire::FrameReader::Frame>> read_frame(tunnel::io::TlsSocket& socket,
                                                                  tunnel::wire::FrameReader& reader,
                                                                  Scratch scratch);

/// How long a peer may take to read our last words and close.
inline constexpr auto last_words_timeout = std::chrono::seconds{2};

/// Sends `last_words` and the end of the stream, then waits for the peer to close, so that the
/// words are not lost to a reset (RFC 1122, 4.2.2.13). Bounded by last_words_timeout.
Task<> say_last(tunnel::io::TlsSocket& socket, tunnel::Bytes last_words, Deadlines& deadlines,
                Scratch scratch);

}  // namespace rdv
