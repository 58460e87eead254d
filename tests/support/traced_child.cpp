#include "support/traced_child.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <signal.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tunnel::test {
namespace {

constexpr int is_system_call = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw std::system_error{errno, std::generic_category(), "wait for a child"};
  return status;
}

void go_on(pid_t child, int signal) {
  if (::ptrace(PTRACE_SYSCALL, child, nullptr, signal) != 0)
    throw std::system_error{errno, std::generic_category(), "trace a child"};
}

/// The number of the system call that the stopped child is about to make; nothing when it comes
/// back from one.
std::optional<long> about_to_call(pid_t child) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) < 0)
    throw std::system_error{errno, std::generic_category(), "see a system call"};
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return std::nullopt;
  return static_cast<long>(info.entry.nr);
}

}  // namespace

TracedChild trace_child(const std::function<void()>& work, std::optional<std::size_t> kill_at) {
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error{errno, std::generic_category(), "start a child"};
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    work();
    ::_exit(0);
  }
  wait_for(child);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  TracedChild traced;
  for (int signal = 0;;) {
    go_on(child, std::exchange(signal, 0));
    const int status = wait_for(child);
    if (!WIFSTOPPED(status)) {
      traced.finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      return traced;
    }
    if (WSTOPSIG(status) != is_system_call) {
      signal = WSTOPSIG(status);
      continue;
    }
    const auto call = about_to_call(child);
    if (!call) continue;
    if (traced.called.size() == kill_at) {
      ::kill(child, SIGKILL);
      wait_for(child);
      return traced;
    }
    traced.called.push_back(*call);
  }
}

}  // namespace tunnel::test
