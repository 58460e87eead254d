#include "crypto/openssl.hpp"

#include <openssl/err.h>

namespace tunnel::crypto {

std::string drain_reasons() {
  std::string reasons;
  while (const auto code = ::ERR_get_error()) {
    const char* reason = ::ERR_reason_error_string(code);
    if (!reasons.empty()) reasons += ", ";
    reasons += reason == nullptr ? "error " + std::to_string(code) : std::string{reason};
  }
  return reasons.empty() ? "no reason given" : reasons;
}

CryptoError::CryptoError(const std::string& attempted)
    : std::runtime_error{attempted + ": " + drain_reasons()} {}

}  // namespace tunnel::crypto
