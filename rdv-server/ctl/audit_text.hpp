#pragma once
#include "audit/record.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Which records of the audit rdvctl shows, and how. Pure.
namespace rdv::ctl {

struct AuditFilter {
  std::string device;   ///< in whatever role; "": any
  std::string session;  ///< 16 digits; "": any
  std::string since;    ///< as parse_since() gives it; "": from the beginning
};

/// "2026-01-14", "2026-01-14 09:12", "2026-01-14T09:12:03Z" (UTC), or so long ago: "90m", "12h",
/// "30d".
///
/// @return the beginning of a record's time, which compares as text; nothing when it is none of
/// these
std::optional<std::string> parse_since(std::string_view text, tunnel::UnixMillis now);

bool matches(const AuditRecord& record, const AuditFilter& filter);

/// One line: "2026-01-14 09:12:03  session_closed       session=5f0c… reason="the engineer ended
/// it"".
std::string audit_line_text(const AuditRecord& record);

}  // namespace rdv::ctl
