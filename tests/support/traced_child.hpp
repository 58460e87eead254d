#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace tunnel::test {

/// What became of a child process that did some work.
struct TracedChild {
  bool finished = false;     ///< false: it was killed before its end
  std::vector<long> called;  ///< numbers of the system calls that it made, in order
};

/// Does `work` in a child process, whose every system call is seen (ptrace(2)).
///
/// @param kill_at  the child dies by SIGKILL in place of its system call of this number, counted
///                 from 0; without one it comes to its end
/// @throws std::system_error  there is no process or it cannot be traced
TracedChild trace_child(const std::function<void()>& work, std::optional<std::size_t> kill_at);

}  // namespace tunnel::test
