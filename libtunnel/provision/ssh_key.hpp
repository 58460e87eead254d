#pragma once
#include <string>
#include <string_view>

namespace tunnel::provision {

/// A public key as OpenSSH writes it into a .pub file: "ssh-ed25519 AAAA… comment".
struct SshKey {
  static constexpr std::size_t line_bytes_max = 4096;  ///< RSA of 16384 bits has 2.8 kB

  /// What is wrong with a line for authorized_keys, and what to give instead; "" when it is good.
  /// Options before the key are refused; the key's own bytes must name the type that stands before
  /// them (RFC 4253, 6.6).
  static std::string problem(std::string_view line);
};

}  // namespace tunnel::provision
