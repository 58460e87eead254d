#pragma once
#include "base/bytes.hpp"
#include "device_record.hpp"
#include "store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>
#include <vector>

/// What the store's columns hold, as the rest of the server knows it. What a column cannot hold
/// (somebody has written into the file) is an SQLite::Exception that says so.
namespace rdv {

/// Of a SELECT for record_of().
inline constexpr char device_columns[] =
    "name, system, role, site, state, key_hash, created_at, enrolled_at, revoked_at, "
    "revoked_reason, certificate_expires, last_seen, allow_prefixes, "
    "(SELECT coalesce(max(expires), 0) FROM codes WHERE device = devices.name AND used_at = 0 "
    "AND replaced_at = 0), allows_l2";

/// @return borrowed from the statement, until its next step
tunnel::ByteView blob(const SQLite::Column& column);
tunnel::wire::Name name_of(const SQLite::Column& column);
/// @param row  of device_columns
DeviceRecord record_of(SQLite::Statement& row);
/// A device's prefixes, as its row has them.
std::string join(const std::vector<tunnel::Ipv4Prefix>& prefixes);
/// {0, zeros} when none was noted.
AuditHead audit_head_of(SQLite::Database& db);

}  // namespace rdv
