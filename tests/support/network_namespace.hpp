#pragma once
#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <string>

/// What every test of the kernel's networking needs. Making namespaces needs root.
namespace tunnel::test {

/// A network namespace without a name, its loopback up. A child process holds it and dies with us,
/// so that it is gone even when the test is killed.
class NetworkNamespace {
 public:
  /// @throws std::system_error  the kernel refuses; not root?
  NetworkNamespace();
  ~NetworkNamespace();
  NetworkNamespace(NetworkNamespace&&) = delete;

  /// Of the process that holds it: for `ip link set LINK netns PID` and nsenter(1).
  pid_t pid() const noexcept { return pid_; }
  /// For setns(2).
  int fd() const noexcept { return fd_.get(); }

 private:
  pid_t pid_;
  UniqueFd fd_;
};

/// The lines that one text has more often than the other, each marked "- " (before) or "+ "
/// (after); "" when both have the same lines in whatever order.
std::string line_changes(const std::string& before, const std::string& after);

}  // namespace tunnel::test
