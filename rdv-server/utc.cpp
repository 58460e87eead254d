#include "utc.hpp"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>

namespace rdv {

namespace {

constexpr tunnel::UnixSeconds year_10000 = 253'402'300'800;

}  // namespace

std::string format_utc(tunnel::UnixSeconds time) {
  if (time <= 0 || time >= year_10000) return "never";
  const auto seconds = static_cast<std::time_t>(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", parts);
}

std::string format_utc_ms(tunnel::UnixMillis time) {
  time = std::clamp<tunnel::UnixMillis>(time, 0, year_10000 * 1000 - 1);
  const auto seconds = static_cast<std::time_t>(time / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", parts, time % 1000);
}

}  // namespace rdv
