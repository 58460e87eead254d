#include "ctl/audit_text.hpp"

#include "utc.hpp"
#include "wire/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rdv::ctl {

namespace {

/// Digits where the pattern has a 0, else its own characters.
bool looks_like(std::string_view text, std::string_view pattern) {
  return text.size() == pattern.size() &&
         std::equal(text.begin(), text.end(), pattern.begin(), [](char c, char wanted) {
           return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
         });
}

std::optional<std::string> ago(std::string_view text, tunnel::UnixMillis now) {
  constexpr std::int64_t count_max = 100'000;
  std::int64_t count = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
  const std::int64_t seconds = unit == "m" ? 60 : unit == "h" ? 3'600 : unit == "d" ? 86'400 : 0;
  if (ec != std::errc{} || seconds == 0 || count < 0 || count > count_max) return std::nullopt;
  return format_utc_ms(now - count * seconds * 1000);
}

std::string value_text(const std::string& value) {
  // A record that somebody has made may hold anything.
  const auto plain = tunnel::wire::to_plain_text(value, audit_text_bytes_max);
  const bool bare = !plain.empty() && plain.find_first_of(" \"=\\") == std::string::npos;
  return bare ? plain : fmt::format("\"{}\"", plain);
}

}  // namespace

std::optional<std::string> parse_since(std::string_view text, tunnel::UnixMillis now) {
  std::string time{text};
  if (time.ends_with('Z')) time.pop_back();
  std::replace(time.begin(), time.end(), ' ', 'T');
  for (const auto* pattern :
       {"0000-00-00", "0000-00-00T00:00", "0000-00-00T00:00:00", "0000-00-00T00:00:00.000"})
    if (looks_like(time, pattern)) return time;
  return ago(text, now);
}

bool matches(const AuditRecord& record, const AuditFilter& filter) {
  const auto is = [&](std::string_view field, const std::string& wanted) {
    return record.field(field) == wanted;
  };
  if (!filter.device.empty() && !is("device", filter.device) && !is("master", filter.device) &&
      !is("onsite", filter.device))
    return false;
  return (filter.session.empty() || is("session", filter.session)) && record.time >= filter.since;
}

std::string audit_line_text(const AuditRecord& record) {
  auto time = tunnel::wire::to_plain_text(record.time, 19);
  std::replace(time.begin(), time.end(), 'T', ' ');
  auto line = fmt::format("{}  {:<20}", time, tunnel::wire::to_plain_text(record.what, 40));
  for (const auto& [name, value] : record.fields)
    line += fmt::format(" {}={}", tunnel::wire::to_plain_text(name, 40), value_text(value));
  return line;
}

}  // namespace rdv::ctl
