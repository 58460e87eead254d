#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace device {

/// What the agent says of itself, as far as it matters here.
struct AgentFacts {
  std::string name;  ///< as whom it is enrolled; "": it is not
  bool connected = false;
};

/// Decides how an enrolment that failed goes on. Pure: the caller tries, asks and waits.
///
///   asked --no way to the server--> asked again, after 2 s, 4 s… 60 s, for ever
///     '----refused--> connected under this very name? enrolled: the power was cut behind it
///                     enrolled under it, not connected: asked again, for up to settle_tries
///                     else: the administrator must mend it
class Enrolling {
 public:
  enum class Next : char { again, done, give_up };
  static constexpr std::chrono::seconds delay_first{2}, delay_cap{60};
  static constexpr int settle_tries = 5;  ///< 62 s in all: the agent connects at boot

  explicit Enrolling(std::string name) : name_{std::move(name)} {}

  /// @param error  last part of the D-Bus error's name, "Denied"
  /// @param agent  asked after the failure
  Next on_failure(std::string_view error, const AgentFacts& agent);
  /// How long to wait before the next try; longer each time.
  std::chrono::seconds delay();

 private:
  std::string name_;
  std::chrono::seconds delay_ = delay_first;
  int refused_ = 0;
};

}  // namespace device
