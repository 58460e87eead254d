#include "utc.hpp"

#include <fmt/chrono.h>

#include <ctime>

namespace rdv {

std::string format_utc(tunnel::UnixSeconds time) {
  constexpr tunnel::UnixSeconds year_10000 = 253'402'300'800;
  if (time <= 0 || time >= year_10000) return "never";
  const auto seconds = static_cast<std::time_t>(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", parts);
}

}  // namespace rdv
