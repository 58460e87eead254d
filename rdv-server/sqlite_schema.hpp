#pragma once

namespace SQLite {
class Database;
}

namespace rdv {

/// The schema this program reads and writes (PRAGMA user_version).
inline constexpr int schema_version = 4;

/// WAL, synchronous=FULL, foreign keys; makes the tables in an empty file, and brings an older
/// schema up to this one, in one transaction.
/// @throws SQLite::Exception  also when the file has a newer schema
void prepare_schema(SQLite::Database& db);

}  // namespace rdv
