#include "agent/identity_text.hpp"

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace device {
namespace {

constexpr std::string_view title = "# The identity of an RDV device, written by tundev-agent.\n";
constexpr std::string_view checksum_key = "sha256 = \"";
constexpr std::string_view pem_begin = "-----BEGIN ";
constexpr std::string_view pem_end = "-----END ";

using Facts = std::map<std::string, std::string, std::less<>>;

std::string checksum_line(std::string_view body) {
  return fmt::format("{}{}\"\n", checksum_key,
                     tunnel::to_hex(crypto::sha256(tunnel::as_bytes(body))));
}

/// All but the checksum, which must be right.
std::string_view checked_body(std::string_view text) {
  const auto last = text.rfind(checksum_key);
  if (last == std::string_view::npos) throw IdentityError{"it is cut off"};
  const auto body = text.substr(0, last);
  if (text.substr(last) != checksum_line(body)) throw IdentityError{"its checksum is wrong"};
  return body;
}

/// Takes the facts in front of the first PEM block off `body`.
Facts take_facts(std::string_view& body) {
  Facts facts;
  while (!body.empty() && !body.starts_with(pem_begin)) {
    const auto line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    const auto equals = line.find(" = \"");
    if (line.starts_with('#') || equals == std::string_view::npos || !line.ends_with('"')) continue;
    const auto value = equals + 4;
    facts.emplace(line.substr(0, equals), line.substr(value, line.size() - value - 1));
  }
  return facts;
}

/// Takes one PEM block off `body`.
std::string_view take_block(std::string_view& body) {
  const auto end = body.find('\n', body.find(pem_end));
  if (!body.starts_with(pem_begin) || end == std::string_view::npos)
    throw IdentityError{"a part of it is missing"};
  const auto block = body.substr(0, end + 1);
  body.remove_prefix(end + 1);
  return block;
}

const std::string& fact(const Facts& facts, std::string_view key) {
  const auto found = facts.find(key);
  if (found == facts.end()) throw IdentityError{fmt::format("its {} is missing", key)};
  return found->second;
}

wire::Identity self_of(const Facts& facts) {
  const auto name = wire::Name::parse(fact(facts, "name"));
  const auto role = wire::parse_role(fact(facts, "role"));
  const auto system = wire::Name::parse(fact(facts, "system"));
  if (!name || !role || !system) throw IdentityError{"its name, role or system is not valid"};
  return {*system, *role, *name};
}

std::uint64_t generation_of(const Facts& facts) {
  const auto& digits = fact(facts, "generation");
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (ec != std::errc{} || end != digits.data() + digits.size())
    throw IdentityError{"its generation is not a number"};
  return number;
}

void check(const Identity& identity) {
  if (identity.key.hash() != identity.certificate.key_hash())
    throw IdentityError{"its certificate does not belong to its key"};
  const auto certified = identity.certificate.identity();
  if (!certified || *certified != identity.self)
    throw IdentityError{fmt::format("its certificate is not that of {}", identity.self.name.str())};
}

}  // namespace

std::string to_text(const Identity& identity, std::uint64_t generation) {
  auto text = fmt::format(
      "{}generation = \"{}\"\nname = \"{}\"\nrole = \"{}\"\nsystem = \"{}\"\nserver = \"{}\"\n"
      "{}{}{}{}",
      title, generation, identity.self.name.str(), to_string(identity.self.role),
      identity.self.system.str(), identity.server, identity.key.private_pem(),
      identity.certificate.pem(), identity.ca.pem(), identity.grant_key.public_pem());
  return text + checksum_line(text);
}

StoredIdentity parse_identity(std::string_view text) {
  auto body = checked_body(text);
  const auto facts = take_facts(body);
  const auto key = take_block(body);
  const auto certificate = take_block(body);
  const auto ca = take_block(body);
  const auto grant_key = take_block(body);
  StoredIdentity stored{.generation = generation_of(facts),
                        .identity = {.self = self_of(facts),
                                     .server = fact(facts, "server"),
                                     .key = crypto::Key::private_from_pem(key),
                                     .certificate = crypto::Certificate::from_pem(certificate),
                                     .ca = crypto::Certificate::from_pem(ca),
                                     .grant_key = crypto::Key::public_from_pem(grant_key)}};
  check(stored.identity);
  return stored;
}

}  // namespace device
