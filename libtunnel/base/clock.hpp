#pragma once
#include <chrono>
#include <cstdint>
#include <time.h>

namespace tunnel {

/// The clock every deadline counts on: CLOCK_BOOTTIME, which goes on while the machine sleeps and
/// never jumps.
struct Clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return time_point{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
  }
};

/// Seconds since 1970-01-01 00:00 UTC: what people, certificates and the wire call time. It may be
/// wrong.
using UnixSeconds = std::int64_t;

inline UnixSeconds unix_now() {
  return static_cast<UnixSeconds>(::time(nullptr));
}

/// The same in milliseconds.
using UnixMillis = std::int64_t;

inline UnixMillis unix_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return UnixMillis{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace tunnel
