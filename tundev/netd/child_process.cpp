#include "netd/child_process.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <system_error>
#include <unistd.h>

namespace device {
namespace {

/// In the child, between fork and exec: only what signal-safety(7) allows.
[[noreturn]] void become(char* const* argv, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // died before the line above
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGPIPE})
    ::signal(number, SIG_DFL);
  ::close_range(3, ~0U, 0);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const auto& word : argv)
    pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  // Not posix_spawn(): it cannot set the parent-death signal.
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error{errno, std::generic_category(), "start " + argv.front()};
  if (pid_ == 0) become(pointers.data(), parent);
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (pidfd_) return;
  const int error = errno;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  throw std::system_error{error, std::generic_category(), "watch " + argv.front()};
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  signal(SIGTERM);
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, stop_ms) != 1) signal(SIGKILL);
  reap();
}

void ChildProcess::signal(int number) noexcept {
  if (pid_ > 0) ::kill(pid_, number);  // not reaped yet: the number is still its own
}

std::string ChildProcess::reap() {
  if (pid_ < 0) return "ended before";
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace device
