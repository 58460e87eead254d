#include "emulator/request.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <stdexcept>

namespace emulator {
namespace {

using nlohmann::json;
using Milliseconds = std::chrono::duration<double, std::milli>;
using Microseconds = std::chrono::duration<double, std::micro>;

/// A number between these, or std::invalid_argument.
double number(const json& value, const std::string& key, double min, double max) {
  if (value.is_number()) {
    const auto n = value.get<double>();
    if (n >= min && n <= max) return n;
  }
  throw std::invalid_argument{fmt::format("{} must be a number from {} to {}", key, min, max)};
}

bool boolean(const json& value, const std::string& key) {
  if (value.is_boolean()) return value.get<bool>();
  throw std::invalid_argument{key + " must be true or false"};
}

std::uint64_t rate(const json& value, const std::string& key) {
  const auto bps = number(value, key, 0, static_cast<double>(rate_bps_max));
  if (bps > 0 && bps < static_cast<double>(rate_bps_min))
    throw std::invalid_argument{
        fmt::format("{} must be 0 (unlimited) or >= {}", key, rate_bps_min)};
  return static_cast<std::uint64_t>(std::llround(bps));
}

Settings changed(Settings settings, const json& object) {
  if (!object.is_object()) throw std::invalid_argument{"a direction must be an object"};
  for (const auto& [key, value] : object.items()) {
    if (key == "rate_bps") {
      settings.rate_bps = rate(value, key);
    } else if (key == "delay_ms") {
      const Milliseconds delay{number(value, key, 0, static_cast<double>(delay_max.count()))};
      settings.delay = std::chrono::round<Clock::duration>(delay);
    } else if (key == "loss_percent") {
      settings.loss_percent = number(value, key, 0, 100);
    } else if (key == "queue_bytes") {
      settings.queue_bytes = static_cast<std::size_t>(number(
          value, key, static_cast<double>(queue_bytes_min), static_cast<double>(queue_bytes_max)));
    } else if (key == "open") {
      settings.open = boolean(value, key);
    } else {
      throw std::invalid_argument{"a direction has no " + key};
    }
  }
  return settings;
}

json described(const State& state) {
  const auto& settings = state.direction.settings();
  const auto& counters = state.direction.counters();
  const auto& late = state.edge.lateness;
  return {
      {"rate_bps", settings.rate_bps},
      {"delay_ms", Milliseconds{settings.delay}.count()},
      {"loss_percent", settings.loss_percent},
      {"queue_bytes", settings.queue_bytes},
      {"open", settings.open},
      {"rx_frames", counters.rx_frames},
      {"rx_bytes", counters.rx_bytes},
      {"tx_frames", counters.tx_frames},
      {"tx_bytes", counters.tx_bytes},
      {"dropped_queue", counters.dropped_queue},
      {"dropped_loss", counters.dropped_loss},
      {"dropped_closed", counters.dropped_closed},
      {"dropped_limit", counters.dropped_limit},
      {"queued_bytes", state.direction.queue_bytes()},
      {"queued_bytes_max", counters.queue_bytes_max},
      {"not_read", state.edge.not_read},
      {"not_sent", state.edge.not_sent},
      {"too_long", state.edge.too_long},
      {"late_us_p50", Microseconds{late.percentile(50)}.count()},
      {"late_us_p99", Microseconds{late.percentile(99)}.count()},
      {"late_us_max", Microseconds{late.max()}.count()},
  };
}

}  // namespace

Request parse_request(std::string_view text, const Settings& up, const Settings& down) {
  const auto object = json::parse(text, nullptr, false);
  if (!object.is_object()) throw std::invalid_argument{"a request must be a JSON object"};
  Request request{.up = up, .down = down};
  for (const auto& [key, value] : object.items()) {
    if (key == "up") {
      request.up = changed(up, value);
    } else if (key == "down") {
      request.down = changed(down, value);
    } else if (key == "seed" && value.is_number_unsigned()) {
      request.seed = value.get<std::uint64_t>();
    } else if (key == "reset") {
      request.reset = boolean(value, key);
    } else {
      throw std::invalid_argument{"a request has no such " + key};
    }
  }
  return request;
}

std::string format_answer(const State& up, const State& down) {
  return json{{"up", described(up)}, {"down", described(down)}}.dump();
}

std::string format_error(std::string_view what) {
  return json{{"error", what}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace emulator
