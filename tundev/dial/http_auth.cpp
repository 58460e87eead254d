#include "dial/http_auth.hpp"

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

#include <boost/algorithm/string/predicate.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace device {
namespace {

using boost::algorithm::iequals;
using Parameters = std::vector<std::pair<std::string, std::string>>;

struct RawChallenge {
  std::string scheme;
  Parameters parameters;

  std::string get(std::string_view name) const {
    for (const auto& [key, value] : parameters)
      if (iequals(key, name)) return value;
    return {};
  }
  bool has(std::string_view name) const {
    return std::any_of(parameters.begin(), parameters.end(),
                       [&](const auto& p) { return iequals(p.first, name); });
  }
};

/// Takes a list of challenges apart (RFC 9110, section 11.6.1): `Digest realm="a, b", qop=auth,
/// Basic realm="c"`. What follows no rule is passed over.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : rest_{text} {}

  std::vector<RawChallenge> challenges() {
    std::vector<RawChallenge> found;
    for (skip(" \t,"); !rest_.empty(); skip(" \t,")) {
      auto word = token();
      if (word.empty()) {
        rest_.remove_prefix(1);
        continue;
      }
      skip(" \t");
      if (!rest_.starts_with('='))
        found.push_back({.scheme = std::move(word), .parameters = {}});
      else if (!found.empty())
        found.back().parameters.emplace_back(std::move(word), value());
      else
        (void)value();
    }
    return found;
  }

 private:
  void skip(std::string_view what) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(what), rest_.size()));
  }
  std::string token() {
    const auto end = std::min(rest_.find_first_of(" \t,=\""), rest_.size());
    std::string word{rest_.substr(0, end)};
    rest_.remove_prefix(end);
    return word;
  }
  /// Behind a token: `= "quoted \" text"` or `= word`.
  std::string value() {
    skip("=");
    skip(" \t");
    if (!rest_.starts_with('"')) return token();
    std::string text;
    std::size_t i = 1;
    for (; i < rest_.size() && rest_[i] != '"'; ++i) {
      if (rest_[i] == '\\' && i + 1 < rest_.size()) ++i;
      text += rest_[i];
    }
    rest_.remove_prefix(std::min(i + 1, rest_.size()));
    return text;
  }

  std::string_view rest_;
};

std::optional<Challenge> understood(const RawChallenge& raw) {
  Challenge challenge{.realm = raw.get("realm")};
  if (iequals(raw.scheme, "Basic")) return challenge;
  if (!iequals(raw.scheme, "Digest") || !raw.has("nonce")) return std::nullopt;
  auto algorithm = raw.get("algorithm");
  if (boost::algorithm::iends_with(algorithm, "-sess")) {
    challenge.per_session = true;
    algorithm.resize(algorithm.size() - 5);
  }
  if (algorithm.empty() || iequals(algorithm, "MD5"))
    challenge.scheme = Challenge::Scheme::digest_md5;
  else if (iequals(algorithm, "SHA-256"))
    challenge.scheme = Challenge::Scheme::digest_sha256;
  else
    return std::nullopt;
  if (raw.has("qop")) {
    const auto protections = Tokens{raw.get("qop")}.challenges();  // "auth, auth-int": words
    challenge.qop_auth = std::any_of(protections.begin(), protections.end(),
                                     [](const auto& p) { return iequals(p.scheme, "auth"); });
    if (!challenge.qop_auth) return std::nullopt;
  } else if (challenge.per_session) {
    return std::nullopt;
  }
  challenge.nonce = raw.get("nonce");
  challenge.opaque = raw.get("opaque");
  challenge.has_opaque = raw.has("opaque");
  challenge.stale = iequals(raw.get("stale"), "true");
  return challenge;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string hash(Challenge::Scheme scheme, const std::string& text) {
  const auto bytes = tunnel::as_bytes(text);
  return scheme == Challenge::Scheme::digest_sha256 ? tunnel::to_hex(tunnel::crypto::sha256(bytes))
                                                    : tunnel::to_hex(tunnel::crypto::md5(bytes));
}

/// RFC 7616, section 3.4.
std::string digest(const Challenge& challenge, const Login& login, std::string_view target,
                   std::uint32_t count, std::string_view cnonce) {
  const auto h = [&](const std::string& text) { return hash(challenge.scheme, text); };
  auto a1 = h(fmt::format("{}:{}:{}", login.user, challenge.realm, login.password));
  if (challenge.per_session) a1 = h(fmt::format("{}:{}:{}", a1, challenge.nonce, cnonce));
  const auto a2 = h(fmt::format("CONNECT:{}", target));
  const auto nc = fmt::format("{:08x}", count);
  const auto response =
      challenge.qop_auth
          ? h(fmt::format("{}:{}:{}:{}:auth:{}", a1, challenge.nonce, nc, cnonce, a2))
          : h(fmt::format("{}:{}:{}", a1, challenge.nonce, a2));
  auto text = fmt::format("Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
                          quoted(login.user), quoted(challenge.realm), quoted(challenge.nonce),
                          quoted(target), response);
  const bool sha256 = challenge.scheme == Challenge::Scheme::digest_sha256;
  text += fmt::format(", algorithm={}{}", sha256 ? "SHA-256" : "MD5",
                      challenge.per_session ? "-sess" : "");
  if (challenge.has_opaque) text += fmt::format(", opaque={}", quoted(challenge.opaque));
  if (challenge.qop_auth) text += fmt::format(", qop=auth, nc={}, cnonce={}", nc, quoted(cnonce));
  return text;
}

}  // namespace

std::optional<Challenge> Challenge::best(const std::vector<std::string>& values) {
  std::optional<Challenge> best;
  for (const auto& value : values)
    for (const auto& raw : Tokens{value}.challenges())
      if (auto one = understood(raw); one && (!best || one->scheme > best->scheme))
        best = std::move(one);
  return best;
}

std::string scheme_names(const std::vector<std::string>& values) {
  std::string names;
  for (const auto& value : values)
    for (const auto& raw : Tokens{value}.challenges()) {
      const bool is_word = std::all_of(raw.scheme.begin(), raw.scheme.end(), [](unsigned char c) {
        return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      });
      if (is_word && raw.scheme.size() <= 16 && names.size() < 64)
        names += (names.empty() ? "" : ", ") + raw.scheme;
    }
  return names;
}

std::string authorization(const Challenge& challenge, const Login& login, std::string_view target,
                          std::uint32_t count, std::string_view cnonce) {
  if (challenge.scheme == Challenge::Scheme::basic)
    return "Basic " + tunnel::crypto::base64(tunnel::as_bytes(login.user + ':' + login.password));
  return digest(challenge, login, target, count, cnonce);
}

}  // namespace device
