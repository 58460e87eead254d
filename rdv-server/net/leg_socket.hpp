#pragma once

namespace rdv {

/// Tells the kernel how to treat the TCP connection of a data leg. What it refuses stays as it was:
///
/// - TCP_USER_TIMEOUT: a machine that is gone without a word is given up after 30 s (tcp(7)).
/// - TCP_NOTSENT_LOWAT: no more than 256 KiB wait unsent, beside the pipe.
/// - Congestion control: BBR, so that a lost segment here and there does not make a long way slow;
///   but not on a short one, where any other finds its rate again at once, and where BBR, whose
///   pacing needs a timer for every 64 KiB, doubles the CPU time of the relay
///   (docs/PERFORMANCE.md).
///
/// @param fd  of a connection that has carried a handshake, so that its round trip is known
void tune_leg(int fd);

}  // namespace rdv
