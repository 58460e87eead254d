#include "support/network_namespace.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <set>
#include <signal.h>
#include <sstream>
#include <system_error>
#include <unistd.h>

namespace tunnel::test {
namespace {

bool raise_loopback() {
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{.ifr_ifrn = {.ifrn_name = "lo"}, .ifr_ifru = {.ifru_flags = IFF_UP}};
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

/// The child: says one byte when the namespace is there, and then holds it.
[[noreturn]] void hold_namespace(int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::unshare(CLONE_NEWNET) != 0 || !raise_loopback() || ::write(ready, "x", 1) != 1) ::_exit(1);
  for (;;)
    ::pause();
}

std::multiset<std::string> lines_of(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    lines.insert(line);
  return lines;
}

}  // namespace

NetworkNamespace::NetworkNamespace() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error{errno, std::generic_category(), "make a pipe"};
  const UniqueFd ready{ends[0]};
  UniqueFd telling{ends[1]};
  pid_ = ::fork();
  if (pid_ == 0) hold_namespace(telling.get());
  telling.reset();
  char byte = 0;
  if (pid_ < 0 || ::read(ready.get(), &byte, 1) != 1)
    throw std::system_error{EPERM, std::generic_category(), "make a network namespace"};
  fd_.reset(::open(("/proc/" + std::to_string(pid_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
}

NetworkNamespace::~NetworkNamespace() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string line_changes(const std::string& before, const std::string& after) {
  const auto old = lines_of(before), now = lines_of(after);
  std::string text;
  for (const auto& line : old)
    if (now.count(line) < old.count(line)) text += "- " + line + '\n';
  for (const auto& line : now)
    if (old.count(line) < now.count(line)) text += "+ " + line + '\n';
  return text;
}

}  // namespace tunnel::test
