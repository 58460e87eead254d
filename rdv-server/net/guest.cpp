#include "net/guest.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

namespace rdv {

using tunnel::io::TlsSocket;
using tunnel::wire::FrameReader;

namespace {

/// Read at most before the first frame is whole: the longest one, and whatever optional ones we
/// skip before it.
constexpr std::size_t first_frame_bytes_max = 2 * tunnel::wire::control_payload_bytes_max;

}  // namespace

tunnel::Result<std::size_t> try_read(TlsSocket& socket, Scratch scratch) {
  ::ERR_clear_error();
  std::size_t got = 0;
  const int result = ::SSL_read_ex(socket.ssl(), scratch.data(), scratch.size(), &got);
  if (result == 1) return got;
  switch (::SSL_get_error(socket.ssl(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return error_code{asio::error::would_block};
    case SSL_ERROR_ZERO_RETURN: return error_code{asio::error::eof};
    default: ::ERR_clear_error(); return error_code{asio::error::connection_reset};
  }
}

Task<tunnel::Result<FrameReader::Frame>> read_frame(TlsSocket& socket, FrameReader& reader,
                                                    Scratch scratch) {
  for (std::size_t read = 0; read <= first_frame_bytes_max;) {
    const auto frame = reader.next();
    if (!frame) co_return frame.error();
    if (*frame) co_return **frame;
    const auto got = co_await socket.read_some(scratch);
    if (!got) co_return got.error();
    read += *got;
    reader.feed(scratch.first(*got));
  }
  co_return tunnel::wire::Errc::too_long;
}

Task<> say_last(TlsSocket& socket, tunnel::Bytes last_words, Deadlines& deadlines,
                Scratch scratch) {
  const int fd = socket.socket().native_handle();
  bool too_late = false;
  Deadline deadline{deadlines, [&] {
                      too_late = true;
                      ::shutdown(fd, SHUT_RDWR);
                    }};
  deadline.expires_after(last_words_timeout);
  if (co_await socket.write(last_words)) co_return;
  socket.shutdown();
  ::shutdown(fd, SHUT_WR);
  while (!too_late && co_await socket.read_some(scratch)) {  // it is of no account
  }
}

}  // namespace rdv
