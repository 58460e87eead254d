#pragma once
#include <sys/types.h>

#include <cstdint>

namespace tunnel::io {

/// What a read() of a TUN device says.
enum class TunRead : std::uint8_t {
  packet,
  none,   ///< nothing now, or the link is down
  again,  ///< interrupted by a signal
  gone,   ///< the device does not exist any more
};

/// @param got  what read() returned; errno is still its own
TunRead judge_tun_read(ssize_t got);

/// A TUN that belongs to somebody else, for an asio descriptor that must be release()d, never
/// closed. Makes it non-blocking. @return `tun`
int borrow_tun(int tun);

}  // namespace tunnel::io
