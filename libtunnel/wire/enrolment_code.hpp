#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/limits.hpp"

#include <array>
#include <string>

namespace tunnel::wire {

/// What `rdvctl device add` prints and `tundev enroll` reads: where the server is, how to know it,
/// and a secret.
struct EnrolmentCode {
  std::string server;  ///< host:port or [v6]:port
  std::array<std::byte, fingerprint_bytes>
      ca_fingerprint{};  ///< leading bytes of SHA-256 of the CA certificate (DER)
  std::array<std::byte, enrolment_secret_bytes> secret{};

  /// Groups of five Crockford base32 digits joined by '-'; with a CRC-32, so that a typing error is
  /// found on the device.
  std::string str() const;
  /// Upper or lower case, any spaces and hyphens; O is 0, I and L are 1.
  /// @retval Errc::malformed  mistyped or cut short
  static Result<EnrolmentCode> parse(std::string_view text);
};

}  // namespace tunnel::wire
