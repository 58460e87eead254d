#pragma once
#include "base/unique_fd.hpp"

#include <string>

namespace device::cli {

/// Ctrl-C, SIGTERM and SIGHUP as a descriptor to wait on instead of sudden death.
///
/// Construct before any thread. A SIGHUP that is ignored already (nohup) stays ignored.
class StopSignals {
 public:
  /// @throws std::system_error
  StopSignals();

  /// Readable while a signal is pending.
  int fd() const noexcept { return fd_.get(); }
  /// Takes one pending signal and says in words what it means; "" when none is pending.
  std::string take();

 private:
  tunnel::UniqueFd fd_;
};

}  // namespace device::cli
