#pragma once
#include "base/bytes.hpp"
#include "wire/messages.hpp"

#include <array>
#include <string>

namespace tunnel::crypto {

using wire::Hash;
using wire::Nonce;

Hash sha256(ByteView bytes);
/// For HTTP Digest authentication (RFC 7616) alone: it protects nothing any more.
std::array<std::byte, 16> md5(ByteView bytes);
/// RFC 4648, with padding, without line breaks.
std::string base64(ByteView bytes);
Hash hmac_sha256(ByteView key, ByteView bytes);
/// Compares in a time that does not depend on where they differ.
bool equal(ByteView a, ByteView b);

/// Fills `out` from the kernel's random generator. @throws CryptoError
void random_fill(std::span<std::byte> out);
Nonce random_nonce();
std::uint64_t random_u64();

}  // namespace tunnel::crypto
