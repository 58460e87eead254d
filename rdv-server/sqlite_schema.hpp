#pragma once

namespace SQLite {
class Database;
}

namespace rdv {

/// The schema this program reads and writes (PRAGMA user_version).
inline constexpr int schema_version = 1;

/// WAL, synchronous=FULL, foreign keys; makes the tables in an empty file.
/// @throws SQLite::Exception  also when the file has a schema of another version
void prepare_schema(SQLite::Database& db);

}  // namespace rdv
