#pragma once
#include "base/clock.hpp"

namespace rdv {

/// The two times of one event: what deadlines count on, and what people and certificates call the
/// time.
struct Now {
  tunnel::Clock::time_point steady;
  tunnel::UnixSeconds unix = 0;
};

/// For `io`; the pure parts are given a Now.
inline Now read_clocks() {
  return {tunnel::Clock::now(), tunnel::unix_now()};
}

}  // namespace rdv
