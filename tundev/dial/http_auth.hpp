#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// HTTP authentication as a proxy asks for it (RFC 9110, section 11): Basic (RFC 7617) and Digest
/// (RFC 7616). Pure.
namespace device {

/// One challenge that we can answer.
struct Challenge {
  enum class Scheme : std::uint8_t {
    basic,
    digest_md5,
    digest_sha256
  };  ///< the better one is later

  Scheme scheme = Scheme::basic;
  std::string realm, nonce, opaque;
  bool qop_auth = false;     ///< false: the form of RFC 2069, which old proxies want
  bool per_session = false;  ///< algorithm MD5-sess, SHA-256-sess
  bool stale = false;        ///< only the nonce was too old: the password is right
  bool has_opaque = false;

  /// The best we can answer of what a proxy asks. @param values  of its Proxy-Authenticate fields
  static std::optional<Challenge> best(const std::vector<std::string>& values);
};

/// The schemes named in `values`, for a person: "Negotiate, NTLM".
std::string scheme_names(const std::vector<std::string>& values);

struct Login {
  std::string user, password;
};

/// The value of Proxy-Authorization for one CONNECT.
///
/// @param target  host:port, the request-target of CONNECT
/// @param count   how often this nonce was answered before, plus one
/// @param cnonce  random, printable
std::string authorization(const Challenge& challenge, const Login& login, std::string_view target,
                          std::uint32_t count, std::string_view cnonce);

}  // namespace device
