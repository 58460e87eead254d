#include "sqlite_schema.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <array>

namespace rdv {

namespace {

/// Times are Unix seconds, 0: never. Prefixes are separated by a space. Hashes are SHA-256, 32
/// bytes.
constexpr char schema_1[] = R"sql(
CREATE TABLE devices (
  name                TEXT PRIMARY KEY,
  system              TEXT NOT NULL,
  role                TEXT NOT NULL CHECK (role IN ('onsite', 'master')),
  site                TEXT NOT NULL DEFAULT '',
  state               TEXT NOT NULL CHECK (state IN ('registered', 'enrolled', 'revoked')),
  key_hash            BLOB UNIQUE,              -- of the SubjectPublicKeyInfo; one key is one device
  created_at          INTEGER NOT NULL,
  enrolled_at         INTEGER NOT NULL DEFAULT 0,
  revoked_at          INTEGER NOT NULL DEFAULT 0,
  revoked_reason      TEXT NOT NULL DEFAULT '',
  certificate_expires INTEGER NOT NULL DEFAULT 0,
  last_seen           INTEGER NOT NULL DEFAULT 0,
  allow_prefixes      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX devices_of_system ON devices (system, role, name);
CREATE TABLE codes (
  secret_hash BLOB NOT NULL UNIQUE,
  device      TEXT NOT NULL REFERENCES devices (name) ON DELETE CASCADE,
  created_at  INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  replaced_at INTEGER NOT NULL DEFAULT 0,       -- by a newer code of the same device
  used_at     INTEGER NOT NULL DEFAULT 0,
  used_by     BLOB                              -- hash of the key that got the certificate
) STRICT;
CREATE INDEX codes_of_device ON codes (device);
)sql";

/// Live sessions, from the grant to the end: what a server goes on with that was started anew.
constexpr char schema_2[] = R"sql(
CREATE TABLE sessions (
  id         TEXT PRIMARY KEY,                  -- 16 hexadecimal digits
  master     TEXT NOT NULL,                     -- as in the grant, for people
  onsite     TEXT NOT NULL,
  epoch      INTEGER NOT NULL,
  last_grant BLOB NOT NULL,                     -- its exact bytes
  seconds    INTEGER NOT NULL,                  -- the limit, from the first grant
  since      INTEGER NOT NULL,
  expires    INTEGER NOT NULL
) STRICT;
)sql";

/// The newest record of the audit that is on the disk: one row.
constexpr char schema_3[] = R"sql(
CREATE TABLE audit_head (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  sequence INTEGER NOT NULL,
  hash     BLOB NOT NULL
) STRICT;
)sql";

/// Whether a master may join the LAN of an onsite (mode L2): not unless somebody permits it.
constexpr char schema_4[] = R"sql(
ALTER TABLE devices ADD COLUMN allows_l2 INTEGER NOT NULL DEFAULT 0 CHECK (allows_l2 IN (0, 1));
)sql";

/// Each brings a file from the version that is its index to the next.
constexpr std::array<const char*, schema_version> steps{schema_1, schema_2, schema_3, schema_4};

}  // namespace

void prepare_schema(SQLite::Database& db) {
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA foreign_keys = ON");
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  const int found = db.execAndGet("PRAGMA user_version").getInt();
  if (found < 0 || found > schema_version)
    throw SQLite::Exception{fmt::format(
        "it has schema version {}, this program knows {}; use the program that wrote it", found,
        schema_version)};
  for (auto version = static_cast<std::size_t>(found); version < steps.size(); ++version)
    db.exec(steps[version]);
  if (found != schema_version) db.exec(fmt::format("PRAGMA user_version = {}", schema_version));
  transaction.commit();
}

}  // namespace rdv
