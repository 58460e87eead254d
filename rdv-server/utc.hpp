#pragma once
#include "base/clock.hpp"

#include <string>

namespace rdv {

/// "2026-01-14 09:12 UTC"; "never" for 0 and for years beyond 9999.
std::string format_utc(tunnel::UnixSeconds time);

/// "2026-01-14T09:12:03.123Z" (RFC 3339); what lies outside of the years 1970 to 9999 becomes the
/// nearest moment inside.
std::string format_utc_ms(tunnel::UnixMillis time);

}  // namespace rdv
