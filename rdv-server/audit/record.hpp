#pragma once
#include "base/clock.hpp"
#include "event.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// The audit's chain of records: bytes in and out. Pure.
///
/// A record is one line of JSON (docs/SECURITY.md, "The audit"):
///
///   {"seq":7,"time":"2026-01-14T09:12:03.123Z","what":"session_granted",…,"prev":"…","hash":"…"}
///
/// `hash` is the SHA-256 of the line's bytes before `,"hash":`, and `prev`, which is among them,
/// the hash of the record before; so a record vouches for every byte of itself and of all before
/// it.
namespace rdv {

/// The last record of a chain; {0, zeros} before the first.
struct AuditHead {
  std::uint64_t sequence = 0;
  tunnel::wire::Hash hash{};
  bool operator==(const AuditHead&) const = default;
  /// "7:3f0a…": as rdvctl shows and takes it.
  std::string str() const;
};

/// No record is longer, with its line's end.
inline constexpr std::size_t audit_line_bytes_max = 32 * 1024;
/// Of a text in a record; what is longer is cut.
inline constexpr std::size_t audit_text_bytes_max = 1024;

struct AuditLine {
  std::string text;  ///< ends with a line's end
  AuditHead head;    ///< of the chain with this record
};

/// The record of an event behind `before`. @param time  of the event
AuditLine make_audit_line(const AuditHead& before, const Event& event, tunnel::UnixMillis time);

/// A record as it was read.
struct AuditRecord {
  AuditHead head;
  tunnel::wire::Hash previous{};
  std::string time, what;
  /// All else, in order; numbers as text.
  std::vector<std::pair<std::string, std::string>> fields;

  /// "" when there is none.
  std::string_view field(std::string_view name) const;
};

/// Why a line is no record, or not any more: a clause, "it is not JSON".
struct AuditDamage {
  std::string why;
};

/// Reads a line (without its end) and checks the record's own hash; whether it follows the one
/// before is asked by AuditVerifier. Takes any bytes.
std::variant<AuditRecord, AuditDamage> read_audit_line(std::string_view line);

/// Reads "7:3f0a…". @return {0, zeros} for anything else
AuditHead parse_audit_head(std::string_view text);

}  // namespace rdv
