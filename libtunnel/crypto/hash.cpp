#include "crypto/hash.hpp"

#include "crypto/openssl.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

namespace tunnel::crypto {
namespace {

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Hash sha256(ByteView bytes) {
  Hash hash{};
  ::SHA256(raw(bytes), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

std::array<std::byte, 16> md5(ByteView bytes) {
  std::array<std::byte, 16> hash{};
  std::size_t length = 0;
  if (::EVP_Q_digest(nullptr, "MD5", nullptr, raw(bytes), bytes.size(),
                     reinterpret_cast<unsigned char*>(hash.data()), &length) != 1)
    throw CryptoError{"compute MD5"};
  return hash;
}

std::string base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');  // and the 0 that ends it
  ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), raw(bytes),
                    static_cast<int>(bytes.size()));
  return text;
}

Hash hmac_sha256(ByteView key, ByteView bytes) {
  Hash mac{};
  unsigned length = mac.size();
  if (::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(bytes), bytes.size(),
             reinterpret_cast<unsigned char*>(mac.data()), &length) == nullptr)
    throw CryptoError{"compute an HMAC"};
  return mac;
}

bool equal(ByteView a, ByteView b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void random_fill(std::span<std::byte> out) {
  if (::RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1)
    throw CryptoError{"get random bytes"};
}

Nonce random_nonce() {
  Nonce nonce;
  random_fill(nonce);
  return nonce;
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  random_fill(std::as_writable_bytes(std::span{&value, 1}));
  return value;
}

}  // namespace tunnel::crypto
