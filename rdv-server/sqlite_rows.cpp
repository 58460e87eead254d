#include "sqlite_rows.hpp"

#include "base/ipv4.hpp"

#include <algorithm>
#include <string_view>

namespace rdv {

using tunnel::wire::Hash;
using tunnel::wire::Name;

namespace wire = tunnel::wire;

namespace {

Hash hash_of(const SQLite::Column& column) {
  const auto bytes = blob(column);
  Hash hash{};
  if (bytes.size() != hash.size()) throw SQLite::Exception{"a hash is not 32 bytes long"};
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

DeviceState state_of(const std::string& text) {
  for (const auto state : {DeviceState::registered, DeviceState::enrolled, DeviceState::revoked})
    if (to_string(state) == text) return state;
  throw SQLite::Exception{"a state is not known"};
}

std::vector<tunnel::Ipv4Prefix> split(std::string_view text) {
  std::vector<tunnel::Ipv4Prefix> prefixes;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto prefix = tunnel::Ipv4Prefix::parse(text.substr(0, end));
    if (!prefix) throw SQLite::Exception{"a prefix is not valid"};
    prefixes.push_back(*prefix);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return prefixes;
}

}  // namespace

tunnel::ByteView blob(const SQLite::Column& column) {
  return {static_cast<const std::byte*>(column.getBlob()),
          static_cast<std::size_t>(column.getBytes())};
}

Name name_of(const SQLite::Column& column) {
  const auto name = Name::parse(column.getString());
  if (!name) throw SQLite::Exception{"a name is not valid"};
  return *name;
}

std::string join(const std::vector<tunnel::Ipv4Prefix>& prefixes) {
  std::string text;
  for (const auto& prefix : prefixes)
    text += (text.empty() ? "" : " ") + prefix.str();
  return text;
}

DeviceRecord record_of(SQLite::Statement& row) {
  const auto role = wire::parse_role(row.getColumn(2).getString());
  if (!role) throw SQLite::Exception{"a role is not known"};
  DeviceRecord record{.name = name_of(row.getColumn(0)),
                      .system = name_of(row.getColumn(1)),
                      .role = *role,
                      .site = row.getColumn(3).getString(),
                      .state = state_of(row.getColumn(4).getString()),
                      .key_hash = std::nullopt,
                      .created_at = row.getColumn(6).getInt64(),
                      .enrolled_at = row.getColumn(7).getInt64(),
                      .revoked_at = row.getColumn(8).getInt64(),
                      .certificate_expires = row.getColumn(10).getInt64(),
                      .last_seen = row.getColumn(11).getInt64(),
                      .code_expires = row.getColumn(13).getInt64(),
                      .revoked_reason = row.getColumn(9).getString(),
                      .allow = split(row.getColumn(12).getString()),
                      .allows_l2 = row.getColumn(14).getInt() != 0};
  if (!row.getColumn(5).isNull()) record.key_hash = hash_of(row.getColumn(5));
  return record;
}

AuditHead audit_head_of(SQLite::Database& db) {
  SQLite::Statement query{db, "SELECT sequence, hash FROM audit_head"};
  if (!query.executeStep()) return {};
  return {.sequence = static_cast<std::uint64_t>(query.getColumn(0).getInt64()),
          .hash = hash_of(query.getColumn(1))};
}

}  // namespace rdv
