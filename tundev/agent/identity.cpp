#include "agent/identity.hpp"

#include "crypto/files.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <sstream>
#include <system_error>

namespace device {
namespace {

namespace fs = std::filesystem;

struct File {
  const char* name;
  unsigned mode;
};
constexpr File key_file{"device.key", 0600};
constexpr File certificate_file{"device.pem", 0644};
constexpr File ca_file{"ca.pem", 0644};
constexpr File grant_key_file{"grant.pub", 0644};
constexpr File facts_file{"identity.toml", 0644};
constexpr std::array files{key_file, certificate_file, ca_file, grant_key_file, facts_file};
constexpr char marker[] = "enrolled.new";  // every *.new is complete

std::string facts_text(const Identity& identity) {
  return fmt::format(
      "# Written by tundev-agent at enrolment.\n"
      "name = \"{}\"\nrole = \"{}\"\nsystem = \"{}\"\nserver = \"{}\"\n",
      identity.self.name.str(), to_string(identity.self.role), identity.self.system.str(),
      identity.server);
}

/// Reads back what facts_text() wrote: `key = "value"` lines.
std::map<std::string, std::string> parse_facts(const std::string& text) {
  std::map<std::string, std::string> facts;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find(" = \"");
    if (line.starts_with('#') || equals == std::string::npos || !line.ends_with('"')) continue;
    const auto value = equals + 4;
    facts[line.substr(0, equals)] = line.substr(value, line.size() - value - 1);
  }
  return facts;
}

std::string read(const fs::path& folder, const File& file) {
  return crypto::read_file(folder / file.name);
}

wire::Identity identity_from(const std::map<std::string, std::string>& facts) {
  const auto fact = [&](const char* key) {
    const auto found = facts.find(key);
    return found == facts.end() ? std::string{} : found->second;
  };
  const auto name = wire::Name::parse(fact("name"));
  const auto role = wire::parse_role(fact("role"));
  const auto system = wire::Name::parse(fact("system"));
  if (!name || !role || !system || fact("server").empty())
    throw IdentityError{fmt::format("{} is damaged", facts_file.name)};
  return {*system, *role, *name};
}

}  // namespace

std::optional<Identity> IdentityStore::load() const {
  try {
    finish_or_forget();
    if (!fs::exists(folder_ / facts_file.name)) return std::nullopt;
    const auto facts = parse_facts(read(folder_, facts_file));
    Identity identity{.self = identity_from(facts),
                      .server = facts.at("server"),
                      .key = crypto::Key::private_from_pem(read(folder_, key_file)),
                      .certificate = crypto::Certificate::from_pem(read(folder_, certificate_file)),
                      .ca = crypto::Certificate::from_pem(read(folder_, ca_file)),
                      .grant_key = crypto::Key::public_from_pem(read(folder_, grant_key_file))};
    if (identity.key.hash() != identity.certificate.key_hash())
      throw IdentityError{
          fmt::format("{} does not belong to {}", certificate_file.name, key_file.name)};
    const auto certified = identity.certificate.identity();
    if (!certified || *certified != identity.self)
      throw IdentityError{fmt::format("{} is not the certificate of {}", certificate_file.name,
                                      identity.self.name.str())};
    return identity;
  } catch (const std::exception& error) {
    throw IdentityError{
        fmt::format("cannot use the identity in {}: {}", folder_.string(), error.what())};
  }
}

void IdentityStore::store(const Identity& identity) const {
  const std::array texts{identity.key.private_pem(), identity.certificate.pem(), identity.ca.pem(),
                         identity.grant_key.public_pem(), facts_text(identity)};
  try {
    finish_or_forget();
    for (std::size_t i = 0; i < files.size(); ++i)
      crypto::write_file_durably(folder_ / (std::string{files[i].name} + ".new"), texts[i],
                                 files[i].mode);
    crypto::write_file_durably(folder_ / marker, "", 0644);
    finish_or_forget();
  } catch (const std::exception& error) {
    throw IdentityError{
        fmt::format("cannot store the identity in {}: {}", folder_.string(), error.what())};
  }
}

void IdentityStore::store_certificate(const crypto::Certificate& certificate) const {
  try {
    crypto::write_file_durably(folder_ / certificate_file.name, certificate.pem(),
                               certificate_file.mode);
  } catch (const std::exception& error) {
    throw IdentityError{
        fmt::format("cannot store the certificate in {}: {}", folder_.string(), error.what())};
  }
}

void IdentityStore::finish_or_forget() const {
  const bool complete = fs::exists(folder_ / marker);
  for (const auto& file : files) {
    const auto fresh = folder_ / (std::string{file.name} + ".new");
    if (!fs::exists(fresh)) continue;
    if (complete)
      fs::rename(fresh, folder_ / file.name);
    else
      fs::remove(fresh);
  }
  fs::remove(folder_ / marker);
}

}  // namespace device
