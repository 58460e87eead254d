#pragma once
#include "agent/identity.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace device {

/// One stored copy of an identity.
struct StoredIdentity {
  std::uint64_t generation = 0;  ///< counts the changes: of two copies the higher one is newer
  Identity identity;
};

/// The text of a copy: facts as `key = "value"` lines, four PEM blocks (key, certificate, CA, grant
/// key), and the SHA-256 of all that in the last line.
std::string to_text(const Identity& identity, std::uint64_t generation);

/// Reads it back.
///
/// @throws IdentityError  the text was cut or changed, or its parts do not belong together
/// @throws crypto::CryptoError  it holds what is no key or certificate
StoredIdentity parse_identity(std::string_view text);

}  // namespace device
