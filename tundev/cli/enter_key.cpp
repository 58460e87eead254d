#include "cli/enter_key.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <string_view>
#include <termios.h>
#include <unistd.h>

namespace device::cli {

EnterKey::EnterKey() {
  ::signal(SIGTTIN, SIG_IGN);  // put into the background while it listens: read() fails instead
}

bool EnterKey::listen() {
  stop();
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return false;
  tunnel::UniqueFd terminal{::open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
  // In the background tcflush() would stop us (termios(3)).
  if (!terminal || ::tcgetpgrp(terminal.get()) != ::getpgrp()) return false;
  ::tcflush(terminal.get(), TCIFLUSH);
  terminal_ = std::move(terminal);
  return true;
}

EnterKey::Typed EnterKey::take() {
  std::array<char, 256> bytes{};  // a terminal gives one line at a time, or the beginning of it
  const auto count = ::read(terminal_.get(), bytes.data(), bytes.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Typed::nothing;
  if (count <= 0) {  // Ctrl-D, a closed terminal, or we are in the background by now
    stop();
    return Typed::gone;
  }
  const std::string_view line{bytes.data(), static_cast<std::size_t>(count)};
  return line == "\n" ? Typed::enter : Typed::other;
}

}  // namespace device::cli
