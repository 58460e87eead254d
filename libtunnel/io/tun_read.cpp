#include "io/tun_read.hpp"

#include <cerrno>
#include <fcntl.h>

namespace tunnel::io {

TunRead judge_tun_read(ssize_t got) {
  if (got > 0) return TunRead::packet;
  if (got < 0 && errno == EINTR) return TunRead::again;
  if (got < 0 && (errno == EAGAIN || errno == EIO)) return TunRead::none;  // EIO: the link is down
  return TunRead::gone;
}

int borrow_tun(int tun) {
  ::fcntl(tun, F_SETFL, ::fcntl(tun, F_GETFL) | O_NONBLOCK);
  return tun;
}

}  // namespace tunnel::io
