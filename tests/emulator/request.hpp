#pragma once
#include "emulator/direction.hpp"
#include "emulator/lateness.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emulator {

/// What the control socket understands: one JSON object as one message, answered by one.
///
///   {"up": {"rate_bps": 1e7, "delay_ms": 20, "loss_percent": 1, "queue_bytes": 1250000, "open":
///   true},
///    "down": {...}, "seed": 1, "reset": true}
///
/// All of it may be left out; what is left out stays as it is. `{}` asks for the state.
struct Request {
  Settings up;  ///< complete: the old ones with what the request names
  Settings down;
  std::optional<std::uint64_t> seed;  ///< begin the losses anew
  bool reset = false;                 ///< set the counters to 0
};

constexpr std::size_t request_bytes_max = 4096;
constexpr std::uint64_t rate_bps_max = 100'000'000'000;
constexpr std::uint64_t rate_bps_min = 1'000;  // slower is 0, unlimited
constexpr std::chrono::milliseconds delay_max{10'000};
constexpr std::size_t queue_bytes_min = frame_bytes_max;
constexpr std::size_t queue_bytes_max = 64 * 1024 * 1024;

/// @throws std::invalid_argument in words for whoever asked; nothing is changed then
Request parse_request(std::string_view text, const Settings& up, const Settings& down);

/// What the edge counts for one direction, beside what Direction counts.
struct EdgeCounters {
  Lateness lateness;
  std::uint64_t not_read = 0;
  std::uint64_t not_sent = 0;
  std::uint64_t too_long = 0;
};

/// One direction as an answer has it: settings, counters, and how late frames were.
struct State {
  const Direction& direction;
  const EdgeCounters& edge;
};
std::string format_answer(const State& up, const State& down);
std::string format_error(std::string_view what);

}  // namespace emulator
