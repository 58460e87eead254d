#include "net/guest.hpp"

#include <sys/socket.h>

namespace rdv {

using tunnel::io::TlsSocket;
using tunnel::wire::FrameReader;

namespace {

/// Read at most before the first frame is whole: the longest one, and whatever optional ones we
/// skip before it.
constexpr std::size_t first_frame_bytes_max = 2 * tunnel::wire::control_payload_bytes_max;

}  // namespace

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
  Deadline deadline{deadlines, [fd] { ::shutdown(fd, SHUT_RDWR); }};
  deadline.expires_after(last_words_timeout);
  if (co_await socket.write(last_words)) co_return;
  socket.shutdown();
  ::shutdown(fd, SHUT_WR);
  while (co_await socket.read_some(scratch)) {  // whatever still comes is of no account
  }
}

}  // namespace rdv
