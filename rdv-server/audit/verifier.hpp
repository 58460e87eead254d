#pragma once
#include "audit/record.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rdv {

/// Says whether lines are one unbroken chain, and if not, where it breaks first. Pure.
class AuditVerifier {
 public:
  /// @param noted  heads that were kept elsewhere: the chain must hold those records, if it begins
  /// early enough
  explicit AuditVerifier(std::vector<AuditHead> noted = {}) : noted_{std::move(noted)} {}

  /// The next line, without its end. @return "" or what is wrong, as one sentence; then the chain
  /// is broken here and nothing behind it means anything
  std::string take(std::string_view line);
  /// No more lines. @return "" or what is missing at the end
  std::string finish() const;

  std::uint64_t first() const { return first_; }       ///< number of the first record; 0: none
  const AuditHead& head() const { return head_; }      ///< of the last good record
  const AuditRecord& record() const { return last_; }  ///< the last good one

 private:
  std::string check(const AuditRecord& record) const;

  std::vector<AuditHead> noted_;
  std::uint64_t first_ = 0;
  AuditHead head_;
  AuditRecord last_;
};

}  // namespace rdv
