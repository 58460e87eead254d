#pragma once
#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace device {

/// One program that runs as long as this object: the kernel kills it when we die, even by SIGKILL,
/// and it inherits no descriptor of ours but the standard three (an nft socket of ours kept open by
/// a child would keep the table alive).
///
/// The process that makes it must be single-threaded: the child dies with the thread that made it.
class ChildProcess {
 public:
  static constexpr int stop_ms = 500;  ///< from SIGTERM to SIGKILL

  /// @param argv  the first is the program, looked for in PATH
  /// @throws std::system_error when there is no process to be had. A program that cannot be run
  ///         exits with code 127.
  explicit ChildProcess(const std::vector<std::string>& argv);
  /// SIGTERM, at most `stop_ms` of waiting, SIGKILL.
  ~ChildProcess();
  ChildProcess(ChildProcess&&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// Readable (poll(2)) when the program has ended. Borrowed.
  int pidfd() const noexcept { return pidfd_.get(); }
  void signal(int number) noexcept;
  /// Call when pidfd() is readable: how it ended, for a log line: "exit code 2", "signal 9".
  std::string reap();

 private:
  pid_t pid_ = -1;
  tunnel::UniqueFd pidfd_;
};

}  // namespace device
