#pragma once
#include "crypto/certificate.hpp"
#include "crypto/tls_context.hpp"
#include "wire/names.hpp"

#include <array>
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

/// The stored identity cannot be read or written; what() is a sentence naming the file.
class IdentityError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The identity on disk: identity.1 and identity.2 (0600) in the state folder, two copies of the
/// same, each with a generation and a checksum.
///
/// Both are written at every change, one after the other, each beside its place, synced and then
/// renamed: whenever the power fails, one of them is whole, the old one or the new one. load()
/// takes the newest that is whole and makes the other one like it, so a copy that the storage tore
/// or lost is found and replaced. Nothing is written in between.
class IdentityStore {
 public:
  static constexpr std::array names{"identity.1", "identity.2"};

  explicit IdentityStore(std::filesystem::path folder) : folder_{std::move(folder)} {}

  /// @return nothing when the device is not enrolled
  /// @throws IdentityError  no copy is whole
  std::optional<Identity> load() const;
  /// @throws IdentityError  the disk has no room for an identity, or nothing can be written
  void require_room() const;
  /// @throws IdentityError with nothing changed. When one copy could be written the new identity
  ///         stands, and the log says that the other one could not. The next enrolment has
  ///         another key.
  void store(const Identity& identity) const;
  /// The key to enrol with, the same until an identity is stored: when the server's answer is lost,
  /// or the power fails before it is stored, the code is good for this key once more
  /// (docs/PROTOCOL.md, 4). In the file enrolling.key (0600), on the disk when this returns.
  /// @throws IdentityError
  crypto::Key enrolling_key() const;
  /// The next enrolment has another one.
  void forget_enrolling_key() const noexcept;
  /// A renewed certificate for the same key. @throws IdentityError as store()
  void store_certificate(const crypto::Certificate& certificate) const;

 private:
  struct Copy;
  using Copies = std::array<Copy, names.size()>;

  Copies read() const;
  void write(std::size_t which, const std::string& text) const;
  std::filesystem::path folder_;
};

}  // namespace device
