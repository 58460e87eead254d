#include "wire/enrolment_code.hpp"

#include "base/endian.hpp"
#include "wire/names.hpp"

#include <boost/crc.hpp>

#include <algorithm>

namespace tunnel::wire {
namespace {

constexpr std::string_view digits =
    "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford base32: no I, L, O, U
constexpr std::byte code_version{1};
constexpr std::size_t crc_bytes = 4;
constexpr std::size_t code_bytes_min =
    1 + fingerprint_bytes + enrolment_secret_bytes + 1 + crc_bytes;
constexpr std::size_t code_bytes_max = code_bytes_min + address_chars_max;
constexpr std::size_t group_chars = 5;

std::uint32_t crc32(ByteView bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

/// The digit's value, with the letters people take for digits; -1 for anything else.
int digit_value(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'O') c = '0';
  if (c == 'I' || c == 'L') c = '1';
  const auto at = digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool is_separator(char c) {
  return c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string to_base32(ByteView bytes) {
  std::string text;
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  const auto emit = [&](unsigned digit) {
    if (text.size() % (group_chars + 1) == group_chars) text += '-';
    text += digits[digit];
  };
  for (const auto byte : bytes) {
    held = held << 8U | std::to_integer<std::uint32_t>(byte);
    for (held_bits += 8; held_bits >= 5; held_bits -= 5)
      emit(held >> (held_bits - 5) & 0x1fU);
  }
  if (held_bits > 0) emit(held << (5 - held_bits) & 0x1fU);
  return text;
}

Result<Bytes> from_base32(std::string_view text) {
  Bytes bytes;
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  for (const char c : text) {
    if (is_separator(c)) continue;
    const int value = digit_value(c);
    if (value < 0 || bytes.size() > code_bytes_max) return Errc::malformed;
    held = held << 5U | static_cast<std::uint32_t>(value);
    held_bits += 5;
    if (held_bits >= 8) {
      held_bits -= 8;
      bytes.push_back(static_cast<std::byte>(held >> held_bits & 0xffU));
    }
  }
  if (held_bits >= 5 || (held & ((1U << held_bits) - 1)) != 0) return Errc::malformed;
  return bytes;
}

}  // namespace

std::string EnrolmentCode::str() const {
  Bytes bytes{code_version};
  bytes.insert(bytes.end(), ca_fingerprint.begin(), ca_fingerprint.end());
  bytes.insert(bytes.end(), secret.begin(), secret.end());
  const auto address = as_bytes(server);
  bytes.insert(bytes.end(), address.begin(), address.end());
  std::array<std::byte, crc_bytes> crc{};
  store_big_endian<std::uint32_t>(crc, crc32(bytes));
  bytes.insert(bytes.end(), crc.begin(), crc.end());
  return to_base32(bytes);
}

Result<EnrolmentCode> EnrolmentCode::parse(std::string_view text) {
  const auto bytes = from_base32(text);
  if (!bytes) return bytes.error();
  if (bytes->size() < code_bytes_min || bytes->size() > code_bytes_max) return Errc::malformed;
  const ByteView body = ByteView{*bytes}.first(bytes->size() - crc_bytes);
  if (load_big_endian<std::uint32_t>(ByteView{*bytes}.last(crc_bytes)) != crc32(body))
    return Errc::malformed;
  if (body[0] != code_version) return Errc::unsupported_version;

  EnrolmentCode code;
  const auto fingerprint = body.subspan(1, fingerprint_bytes);
  const auto secret_part = body.subspan(1 + fingerprint_bytes, enrolment_secret_bytes);
  std::copy(fingerprint.begin(), fingerprint.end(), code.ca_fingerprint.begin());
  std::copy(secret_part.begin(), secret_part.end(), code.secret.begin());
  code.server = as_text(body.subspan(1 + fingerprint_bytes + enrolment_secret_bytes));
  if (!is_plain_text(code.server, address_chars_max) || code.server.find(':') == std::string::npos)
    return Errc::malformed;
  return code;
}

}  // namespace tunnel::wire
