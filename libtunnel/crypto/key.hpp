#pragma once
#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/result.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssl.hpp"

#include <string>
#include <string_view>

namespace tunnel::crypto {

/// An ECDSA P-256 key pair, or the public half of one.
class Key {
 public:
  static Key generate();
  /// @throws CryptoError when it is not a PEM key of this kind
  static Key private_from_pem(std::string_view pem);
  static Key public_from_pem(std::string_view pem);

  std::string private_pem() const;
  std::string public_pem() const;
  /// SHA-256 of the DER SubjectPublicKeyInfo: what grants and the registry call a key.
  Hash hash() const;

  /// ECDSA with SHA-256 over `context` followed by `bytes`; DER.
  Bytes sign(std::string_view context, ByteView bytes) const;
  bool verify(std::string_view context, ByteView bytes, ByteView signature) const;

  EVP_PKEY* get() const noexcept { return key_.get(); }
  explicit Key(KeyHandle key) : key_{std::move(key)} {}

 private:
  KeyHandle key_;
};

/// True for a key on the curve P-256, the only kind RDV uses.
bool is_p256(EVP_PKEY* key);

/// Hash of a certificate's public key, as Key::hash().
Hash key_hash(X509* certificate);

}  // namespace tunnel::crypto
