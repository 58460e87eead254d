#include "crypto/key.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

namespace tunnel::crypto {
namespace {

using BioHandle = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using DigestHandle = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

BioHandle memory_bio(std::string_view text) {
  return BioHandle{::BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

std::string text_of(BIO* bio) {
  char* text = nullptr;
  const auto length = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(length)};
}

/// Only what we make ourselves is a key to us.
Key checked(KeyHandle key, const char* attempted) {
  if (!key || !is_p256(key.get())) throw CryptoError{attempted};
  return Key{std::move(key)};
}

}  // namespace

bool is_p256(EVP_PKEY* key) {
  char group[32] = {};
  char encoding[32] = {};
  std::size_t length = 0;
  // A curve spelt out in numbers has no place in a certificate (RFC 5480, 2.1.1), even when it is
  // this one.
  return ::EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         ::EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
         std::string_view{group} == "prime256v1" &&
         ::EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding,
                                          sizeof encoding, &length) == 1 &&
         std::string_view{encoding} == OSSL_PKEY_EC_ENCODING_GROUP;
}

Key Key::generate() {
  KeyHandle key{EVP_EC_gen("P-256")};
  if (!key) throw CryptoError{"generate an ECDSA P-256 key"};
  return Key{std::move(key)};
}

Key Key::private_from_pem(std::string_view pem) {
  return checked(
      KeyHandle{::PEM_read_bio_PrivateKey(memory_bio(pem).get(), nullptr, no_passphrase, nullptr)},
      "read an ECDSA P-256 private key");
}

Key Key::public_from_pem(std::string_view pem) {
  return checked(
      KeyHandle{::PEM_read_bio_PUBKEY(memory_bio(pem).get(), nullptr, no_passphrase, nullptr)},
      "read an ECDSA P-256 public key");
}

std::string Key::private_pem() const {
  const BioHandle bio{::BIO_new(::BIO_s_mem())};
  if (::PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) != 1)
    throw CryptoError{"write a private key"};
  return text_of(bio.get());
}

std::string Key::public_pem() const {
  const BioHandle bio{::BIO_new(::BIO_s_mem())};
  if (::PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1) throw CryptoError{"write a public key"};
  return text_of(bio.get());
}

Hash Key::hash() const {
  unsigned char* der = nullptr;
  const int length = ::i2d_PUBKEY(key_.get(), &der);
  if (length < 0) throw CryptoError{"encode a public key"};
  const auto hash = sha256(std::as_bytes(std::span{der, static_cast<std::size_t>(length)}));
  OPENSSL_free(der);
  return hash;
}

Hash key_hash(X509* certificate) {
  unsigned char* der = nullptr;
  const int length = ::i2d_X509_PUBKEY(::X509_get_X509_PUBKEY(certificate), &der);
  if (length < 0) throw CryptoError{"encode a certificate's public key"};
  const auto hash = sha256(std::as_bytes(std::span{der, static_cast<std::size_t>(length)}));
  OPENSSL_free(der);
  return hash;
}

Bytes Key::sign(std::string_view context, ByteView bytes) const {
  const DigestHandle digest{::EVP_MD_CTX_new()};
  std::size_t length = 0;
  Bytes signature(wire::signature_bytes_max);
  const bool ready =
      ::EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
      ::EVP_DigestSignUpdate(digest.get(), context.data(), context.size()) == 1 &&
      ::EVP_DigestSignUpdate(digest.get(), bytes.data(), bytes.size()) == 1;
  length = signature.size();
  if (!ready || ::EVP_DigestSignFinal(
                    digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &length) != 1)
    throw CryptoError{"sign"};
  signature.resize(length);
  return signature;
}

bool Key::verify(std::string_view context, ByteView bytes, ByteView signature) const {
  const DigestHandle digest{::EVP_MD_CTX_new()};
  const bool good =
      ::EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
      ::EVP_DigestVerifyUpdate(digest.get(), context.data(), context.size()) == 1 &&
      ::EVP_DigestVerifyUpdate(digest.get(), bytes.data(), bytes.size()) == 1 &&
      ::EVP_DigestVerifyFinal(digest.get(),
                              reinterpret_cast<const unsigned char*>(signature.data()),
                              signature.size()) == 1;
  if (!good) drain_reasons();
  return good;
}

}  // namespace tunnel::crypto
