#include "cli/stop_signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <signal.h>
#include <system_error>

namespace device::cli {

StopSignals::StopSignals() {
  sigset_t set{};
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  // A blocked signal reaches a signalfd even when it is ignored (signal(7)); nohup must go on
  // working.
  struct sigaction hup {};
  ::sigaction(SIGHUP, nullptr, &hup);
  if (hup.sa_handler != SIG_IGN) ::sigaddset(&set, SIGHUP);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw std::system_error{errno, std::generic_category(), "make a signalfd"};
}

Stop StopSignals::take() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return Stop::none;
  switch (info.ssi_signo) {
    case SIGINT: return Stop::ctrl_c;
    case SIGHUP: return Stop::terminal_closed;
    default: return Stop::terminate;
  }
}

}  // namespace device::cli
