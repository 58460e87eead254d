#include "sqlite_schema.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

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

}  // namespace

void prepare_schema(SQLite::Database& db) {
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA foreign_keys = ON");
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  const int found = db.execAndGet("PRAGMA user_version").getInt();
  if (found == 0) {
    db.exec(schema_1);
    db.exec(fmt::format("PRAGMA user_version = {}", schema_version));
  } else if (found != schema_version) {
    throw SQLite::Exception{fmt::format(
        "it has schema version {}, this program knows {}; use the program that wrote it", found,
        schema_version)};
  }
  transaction.commit();
}

}  // namespace rdv
