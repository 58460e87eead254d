#pragma once
#include "crypto/certificate.hpp"
#include "crypto/tls_context.hpp"
#include "wire/names.hpp"

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace device {

namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;

/// Who this device is and whom it trusts: what enrolment gave it.
struct Identity {
  wire::Identity self;
  std::string server;  ///< host:port
  crypto::Key key;
  crypto::Certificate certificate;
  crypto::Certificate ca;
  crypto::Key grant_key;  ///< public

  crypto::Credentials credentials() const { return {key, certificate}; }
};

/// The files of an identity do not fit together or cannot be read; what() is a sentence naming the
/// file.
class IdentityError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The identity on disk: device.key (0600), device.pem, ca.pem, grant.pub and identity.toml in the
/// state folder.
///
/// All or nothing, also when the power fails: the new files are first written beside the old ones,
/// then a marker, then they take the old ones' places; what a crash left half done is finished, or
/// thrown away, by the next load().
class IdentityStore {
 public:
  explicit IdentityStore(std::filesystem::path folder) : folder_{std::move(folder)} {}

  /// @return nothing when the device is not enrolled
  /// @throws IdentityError
  std::optional<Identity> load() const;
  /// @throws IdentityError with nothing changed
  void store(const Identity& identity) const;
  /// A renewed certificate for the same key. @throws IdentityError
  void store_certificate(const crypto::Certificate& certificate) const;

 private:
  void finish_or_forget() const;
  std::filesystem::path folder_;
};

}  // namespace device
