#pragma once
#include "base/clock.hpp"
#include "crypto/key.hpp"
#include "wire/names.hpp"

#include <string>
#include <vector>

namespace tunnel::crypto {

/// An X.509 certificate.
class Certificate {
 public:
  static Certificate from_pem(std::string_view pem);
  std::string pem() const;
  /// SHA-256 of the DER encoding.
  Hash fingerprint() const;
  Hash key_hash() const { return crypto::key_hash(handle_.get()); }
  UnixSeconds not_before() const;
  UnixSeconds not_after() const;
  /// The identity in its SAN URI. @retval wire::Errc::bad_name  it has none of ours
  Result<wire::Identity> identity() const { return identity_of(handle_.get()); }
  static Result<wire::Identity> identity_of(X509* certificate);

  X509* get() const noexcept { return handle_.get(); }
  explicit Certificate(CertificateHandle handle) : handle_{std::move(handle)} {}

 private:
  CertificateHandle handle_;
};

/// A certificate request for `key`; DER. Its subject is of no account.
Bytes make_csr(const Key& key, std::string_view common_name = "rdv device");

/// The key in a CSR whose signature proves possession.
/// @retval wire::Errc::malformed       not a CSR, too long, or not an ECDSA P-256 key
/// @retval wire::Errc::bad_signature   the requester does not have the private key
Result<Key> key_of_csr(ByteView der);

/// The server's own certificate authority.
class Authority {
 public:
  /// A new CA: key, self-signed certificate, 20 years from `now` (and a day back, for wrong
  /// clocks).
  static Authority create(UnixSeconds now);
  static Authority load(std::string_view key_pem, std::string_view certificate_pem);

  /// A device certificate, client and server authentication (inner TLS), SAN URI of `identity`.
  Certificate issue_device(const Key& key, const wire::Identity& identity, UnixSeconds now,
                           UnixSeconds life_seconds) const;
  /// The server's certificate: SAN URI `rdv:server`, and DNS or IP names of `hosts`; 10 years.
  Certificate issue_server(const Key& key, const std::vector<std::string>& hosts,
                           UnixSeconds now) const;

  const Certificate& certificate() const noexcept { return certificate_; }
  const Key& key() const noexcept { return key_; }

 private:
  Authority(Key key, Certificate certificate)
      : key_{std::move(key)}, certificate_{std::move(certificate)} {}
  Key key_;
  Certificate certificate_;
};

inline constexpr UnixSeconds device_certificate_seconds = 90 * 24 * 3600;
inline constexpr std::string_view server_uri = "rdv:server";

}  // namespace tunnel::crypto
