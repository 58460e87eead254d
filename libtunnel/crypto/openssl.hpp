#pragma once
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>
#include <string>

/// Ownership and errors of OpenSSL handles.
namespace tunnel::crypto {

template <auto Free>
struct Freed {
  void operator()(auto* p) const noexcept { Free(p); }
};

using KeyHandle = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using CertificateHandle = std::unique_ptr<X509, Freed<X509_free>>;
using CsrHandle = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using SslHandle = std::unique_ptr<SSL, Freed<SSL_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

/// OpenSSL could not do what it should be able to do (no memory, broken file). what() says what was
/// attempted and OpenSSL's own reasons.
class CryptoError : public std::runtime_error {
 public:
  explicit CryptoError(const std::string& attempted);
};

/// For PEM_read_bio_*: an encrypted file is an error, not a question at somebody's terminal
/// (pem_password_cb(3)).
inline int no_passphrase(char*, int, int, void*) {
  return -1;
}

/// OpenSSL's queued reasons as one line, oldest first; the queue is empty afterwards.
std::string drain_reasons();

}  // namespace tunnel::crypto
