#pragma once
#include <algorithm>
#include <chrono>
#include <thread>

namespace tunnel::test {

/// How long a test waits for what has to come. A busy machine stands still for seconds now and
/// then; what comes costs none of it.
inline constexpr std::chrono::seconds patience{30};

/// The time that a test has run: of a turn in which it, or all of the machine, stood still only
/// `turn_max` counts. For the limits that are themselves what a test is about ("at once").
class RunningTime {
 public:
  static constexpr std::chrono::milliseconds turn_max{50};

  /// Ends a turn and begins the next. @return the time of all so far
  std::chrono::nanoseconds turn() {
    const auto now = std::chrono::steady_clock::now();
    ran_ += std::min<std::chrono::nanoseconds>(now - turn_began_, turn_max);
    turn_began_ = now;
    return ran_;
  }

 private:
  std::chrono::steady_clock::time_point turn_began_ = std::chrono::steady_clock::now();
  std::chrono::nanoseconds ran_{0};
};

/// Whether `condition` becomes true within `patience`: for what another process, or the kernel,
/// does by itself.
template <class Condition>
bool eventually(Condition condition) {
  const auto ends = std::chrono::steady_clock::now() + patience;
  do {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  } while (std::chrono::steady_clock::now() < ends);
  return condition();
}

}  // namespace tunnel::test
