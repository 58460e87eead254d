#pragma once
#include "store.hpp"

#include <filesystem>

namespace rdv {

inline constexpr char in_memory[] = ":memory:";  ///< a file name: a store that dies with its object

/// Opens `file`, which `rdvctl init` made (or makes it with mode 0600, when `create`): SQLite, WAL,
/// synchronous=FULL, foreign keys, and the schema version this program knows. @throws StoreError
std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& file, bool create = false);

/// The end of the audit as the server noted it, read from its store beside the server: {0, zeros}
/// when it noted none. @throws StoreError
AuditHead read_audit_head(const std::filesystem::path& file);

}  // namespace rdv
