#include "net/pipe_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace rdv {
namespace {

constexpr unsigned splice_flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
/// Each fragment of the socket's buffers takes a whole page of the pipe, however short it is. A
/// fragment is a segment at least: a pipe that took less than this per page was not full.
constexpr std::size_t page_share = 4;

Pipe::Moved failed(Pipe::Step whose, std::size_t bytes = 0) {
  return {whose, bytes, {errno, boost::system::system_category()}};
}

/// Refused beyond what the user may have (pipe(7)).
void resize(int pipe, std::size_t bytes) {
  ::fcntl(pipe, F_SETPIPE_SZ, static_cast<int>(bytes));
}

}  // namespace

bool Pipe::fill(int from) {
  const auto wanted = share_.bytes - held_;
  if (ended_ || wanted == 0) return true;
  const auto got = ::splice(from, nullptr, in_.get(), nullptr, wanted, splice_flags);
  if (got < 0) {
    sender_is_dry_ = errno == EAGAIN && held_ == 0;  // otherwise it may be the pipe that is full
    return errno == EAGAIN || errno == EINTR;
  }
  const auto bytes = static_cast<std::size_t>(got);
  held_ += bytes;
  ended_ = got == 0;
  // To look once more only to read EAGAIN costs a system call for each wake-up.
  sender_is_dry_ = bytes < wanted && bytes < share_.bytes / page_share;
  return true;
}

Pipe::Moved Pipe::move(int from, int to) {
  if (!fill(from)) return failed(Step::sender_failed);
  std::size_t moved = 0;
  if (held_ > 0) {
    const auto put = ::splice(out_.get(), nullptr, to, nullptr, held_, splice_flags);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return failed(Step::receiver_failed);
    moved = put > 0 ? static_cast<std::size_t>(put) : 0;
    held_ -= moved;
  }
  if (held_ > 0) return {Step::wants_write, moved};
  return {ended_ ? Step::ended : sender_is_dry_ ? Step::wants_read : Step::moved, moved};
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
  if (bytes_ + Pipe::bytes_max <= large_until_bytes)
    resize(ends[1], Pipe::bytes_max);
  else if (bytes_ + medium_bytes <= medium_until_bytes)
    resize(ends[1], medium_bytes);
  const auto size = static_cast<std::size_t>(::fcntl(ends[1], F_GETPIPE_SZ));
  pipe.share_ = Pipe::Share{bytes_, std::min(size, Pipe::bytes_max)};
  return pipe;
}

void PipePool::give_back(Pipe pipe) {
  if (!pipe || pipe.held_ > 0 || spare_.size() >= spare_max) return;
  pipe.sender_is_dry_ = pipe.ended_ = false;
  spare_.push_back(std::move(pipe));
}

}  // namespace rdv
