#pragma once
#include "base/clock.hpp"
#include "core/loss_run.hpp"

#include <cstdint>

namespace tunnel::io {

/// Tells the kernel how to treat the TCP connection of a data leg. What it refuses stays as it was:
///
/// - TCP_USER_TIMEOUT: a machine that is gone without a word is given up after 30 s (tcp(7)).
/// - TCP_THIN_LINEAR_TIMEOUTS, TCP_RTO_MAX_MS (where the kernel has it, 2 s): a keystroke that is
///   lost several times, or a way that was cut for seconds, is tried again soon and not ever later.
/// - TCP_NOTSENT_LOWAT: no more than 256 KiB wait unsent.
/// - Congestion control: not BBR, where that is the machine's default; see LossWatch.
void tune_leg(int fd);

/// Watches how much a leg loses and gives it BBR when that makes a long way slow, where the kernel
/// has it for us: CUBIC and Reno take every lost segment for congestion, and with 1 % lost at
/// random and 150 ms carry less than 1 Mbit/s. Not from the start: BBR's pacing costs the relay
/// twice the CPU time, and its probing holds up a keystroke (docs/PERFORMANCE.md).
class LossWatch {
 public:
  /// How often check() looks.
  static constexpr auto every = std::chrono::seconds{1};

  /// Looks at most every second; call it when something was sent. @param fd  of the leg's socket
  void check(int fd, Clock::time_point now);
  /// It has BBR now.
  bool has_bbr() const { return has_bbr_; }

 private:
  Clock::time_point looked_{};
  core::LossRun resent_;
  bool done_ = false;
  bool has_bbr_ = false;
};

/// The other end of the same: whether the segments that come have holes. Whoever sends them is the
/// server, which gives its side of the leg BBR; the device that sends through it is told
/// (wire::Ack).
class HoleWatch {
 public:
  /// Looks at most every second; call it when something was received. @param fd  of the leg's
  /// socket
  void check(int fd, Clock::time_point now);
  bool is_lossy() const { return lossy_; }

 private:
  Clock::time_point looked_{};
  core::LossRun out_of_order_;
  bool lossy_ = false;
};

}  // namespace tunnel::io
