#include "audit/verifier.hpp"

#include <fmt/format.h>

#include <utility>

namespace rdv {

namespace {

/// "record 7 is", "records 7 to 9 are".
std::string range(std::uint64_t from, std::uint64_t to) {
  return from == to ? fmt::format("record {} is", from)
                    : fmt::format("records {} to {} are", from, to);
}

}  // namespace

std::string AuditVerifier::take(std::string_view line) {
  auto read = read_audit_line(line);
  if (const auto* damage = std::get_if<AuditDamage>(&read)) {
    const auto which = first_ == 0
                           ? std::string{"the first line is damaged"}
                           : fmt::format("the line behind record {} is damaged", head_.sequence);
    return fmt::format("{}: {}", which, damage->why);
  }
  auto& record = std::get<AuditRecord>(read);
  if (auto why = check(record); !why.empty()) return why;
  if (first_ == 0) first_ = record.head.sequence;
  head_ = record.head;
  last_ = std::move(record);
  return {};
}

std::string AuditVerifier::check(const AuditRecord& record) const {
  const auto& [sequence, hash] = record.head;
  const auto expected = first_ == 0 ? sequence : head_.sequence + 1;
  if (sequence > expected)
    return fmt::format("{} missing: record {} follows record {}", range(expected, sequence - 1),
                       sequence, head_.sequence);
  if (sequence < expected)
    return fmt::format("record {} stands behind record {}: it was moved or repeated", sequence,
                       head_.sequence);
  if (first_ != 0 && record.previous != head_.hash)
    return fmt::format(
        "record {} does not follow the record {} that stands before it: one of the two was "
        "replaced",
        sequence, head_.sequence);
  if (sequence == 1 && record.previous != tunnel::wire::Hash{})
    return "record 1 names a record before it";
  for (const auto& noted : noted_)
    if (noted.sequence == sequence && noted.hash != hash)
      return fmt::format(
          "record {} is not the one that was noted under this number: the chain was written anew",
          sequence);
  return {};
}

std::string AuditVerifier::finish() const {
  for (const auto& noted : noted_)
    if (noted.sequence > head_.sequence)
      return fmt::format("{} missing at the end: record {} was noted",
                         range(head_.sequence + 1, noted.sequence), noted.sequence);
  return {};
}

}  // namespace rdv
