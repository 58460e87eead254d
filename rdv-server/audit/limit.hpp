#pragma once
#include "event.hpp"
#include "now.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace rdv {

/// Keeps what a device or a stranger can cause for nothing from filling the audit: of each of them
/// `taken_max` in `period`; the rest is counted, and said in one record. Pure.
class AuditLimit {
 public:
  static constexpr std::size_t taken_max = 60;
  static constexpr auto period = std::chrono::minutes{10};
  /// Of devices beyond this number all share one allowance, as strangers do.
  static constexpr std::size_t subjects_max = 1'024;

  /// @return false when the event is to be left out. What is not cheap (words.hpp) always passes.
  bool takes(const Event& event, tunnel::Clock::time_point now);
  /// Events of kind left_out, of periods that are over by now.
  std::vector<Event> sweep(tunnel::Clock::time_point now);

 private:
  struct Allowance {
    tunnel::Clock::time_point ends;
    std::size_t taken = 0;
    std::uint64_t left_out = 0;
  };
  std::map<std::string, Allowance> by_subject_;  // "": all strangers
};

}  // namespace rdv
