#pragma once
#include "base/unique_fd.hpp"

#include <cstdint>

namespace device::cli {

/// Who wants us to stop.
enum class Stop : std::uint8_t { none, ctrl_c, terminate, terminal_closed };

/// Ctrl-C, SIGTERM and SIGHUP as a descriptor to wait on instead of sudden death.
///
/// Construct before any thread. A SIGHUP that is ignored already (nohup) stays ignored.
class StopSignals {
 public:
  /// @throws std::system_error
  StopSignals();

  /// Readable while a signal is pending.
  int fd() const noexcept { return fd_.get(); }
  /// Takes one pending signal.
  Stop take();

 private:
  tunnel::UniqueFd fd_;
};

}  // namespace device::cli
