#include "provision/ssh_key.hpp"

#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "wire/names.hpp"

#include <algorithm>
#include <array>

namespace tunnel::provision {
namespace {

constexpr std::array<std::string_view, 7> types{"ssh-ed25519",
                                                "ecdsa-sha2-nistp256",
                                                "ecdsa-sha2-nistp384",
                                                "ecdsa-sha2-nistp521",
                                                "ssh-rsa",
                                                "sk-ssh-ed25519@openssh.com",
                                                "sk-ecdsa-sha2-nistp256@openssh.com"};
constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t length_bytes = 4;
constexpr std::size_t key_bytes_min = 51;  // of ed25519: two lengths, the type, 32 bytes

/// RFC 4648, section 4, with its padding. @return empty when it is not
Bytes from_base64(std::string_view text) {
  const auto padding = text.size() - std::min(text.find('='), text.size());
  if (text.size() % 4 != 0 || padding > 2) return {};
  text.remove_suffix(padding);
  Bytes bytes;
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) return {};
    held = (held << 6U | static_cast<std::uint32_t>(digit)) & 0xffffU;
    held_bits += 6;
    if (held_bits < 8) continue;
    held_bits -= 8;
    bytes.push_back(static_cast<std::byte>(held >> held_bits & 0xffU));
  }
  return bytes;
}

/// The fields of a key, each with its length before it; they must fill it.
bool is_well_formed(ByteView key, std::string_view type) {
  for (bool first = true; !key.empty(); first = false) {
    if (key.size() < length_bytes) return false;
    const auto length = load_big_endian<std::uint32_t>(key.first(length_bytes));
    key = key.subspan(length_bytes);
    if (length > key.size()) return false;
    if (first && as_text(key.first(length)) != type) return false;
    key = key.subspan(length);
  }
  return true;
}

}  // namespace

std::string SshKey::problem(std::string_view line) {
  if (line.find("PRIVATE KEY") != std::string_view::npos)
    return "is a private key, which belongs nowhere but where it was made: give its .pub file";
  if (!wire::is_plain_text(line, line_bytes_max))
    return "is too long or holds control characters; give one line of a .pub file";
  const auto type = line.substr(0, line.find(' '));
  if (std::find(types.begin(), types.end(), type) == types.end())
    return "must be one line of a .pub file, e.g. \"ssh-ed25519 AAAA... bob\"; options are not "
           "possible here";
  auto rest = line.substr(std::min(type.size() + 1, line.size()));
  const auto key = from_base64(rest.substr(0, rest.find(' ')));
  if (key.size() < key_bytes_min || !is_well_formed(key, type))
    return "is mistyped or cut short: copy the whole line of the .pub file";
  return {};
}

}  // namespace tunnel::provision
