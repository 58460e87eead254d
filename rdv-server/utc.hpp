#pragma once
#include "base/clock.hpp"

#include <string>

namespace rdv {

/// "2026-01-14 09:12 UTC"; "never" for 0 and for years beyond 9999.
std::string format_utc(tunnel::UnixSeconds time);

}  // namespace rdv
