#include "net/pipe_pool.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace rdv {
namespace {

constexpr unsigned splice_flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

Pipe::Moved failed(Pipe::Step whose) {
  return {whose, 0, {errno, boost::system::system_category()}};
}

}  // namespace

Pipe::Moved Pipe::move(int from, int to) {
  bool sender_is_dry = false;
  if (!ended_ && held_ < bytes_max) {
    const auto got = ::splice(from, nullptr, in_.get(), nullptr, bytes_max - held_, splice_flags);
    if (got > 0)
      held_ += static_cast<std::size_t>(got);
    else if (got == 0)
      ended_ = true;
    else if (errno == EAGAIN)
      sender_is_dry = held_ == 0;  // otherwise it may be the pipe that is full
    else if (errno != EINTR)
      return failed(Step::sender_failed);
  }
  if (held_ == 0) return {ended_ ? Step::ended : sender_is_dry ? Step::wants_read : Step::moved};
  const auto put = ::splice(out_.get(), nullptr, to, nullptr, held_, splice_flags);
  if (put < 0 && errno != EAGAIN && errno != EINTR) return failed(Step::receiver_failed);
  const auto bytes = put > 0 ? static_cast<std::size_t>(put) : 0;
  held_ -= bytes;
  return {bytes == 0 ? Step::wants_write : Step::moved, bytes};
}

Pipe PipePool::take() {
  if (!spare_.empty()) {
    Pipe pipe = std::move(spare_.back());
    spare_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
    throw std::system_error{errno, std::generic_category(), "make a pipe"};
  Pipe pipe;
  pipe.out_.reset(ends[0]);
  pipe.in_.reset(ends[1]);
  // Refused beyond the user's limit (pipe(7)): the pipe then keeps the 64 KiB, or less, that it
  // has.
  ::fcntl(pipe.in_.get(), F_SETPIPE_SZ, static_cast<int>(Pipe::bytes_max));
  return pipe;
}

void PipePool::give_back(Pipe pipe) {
  if (pipe && pipe.held_ == 0 && spare_.size() < spare_max) {
    pipe.ended_ = false;
    spare_.push_back(std::move(pipe));
  }
}

}  // namespace rdv
