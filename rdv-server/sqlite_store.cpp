#include "sqlite_store.hpp"

#include "base/session_id.hpp"
#include "base/unique_fd.hpp"
#include "sqlite_rows.hpp"
#include "sqlite_schema.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <set>
#include <sqlite3.h>
#include <utility>

namespace rdv {

using tunnel::UnixSeconds;
using tunnel::wire::Hash;
using tunnel::wire::Name;

namespace wire = tunnel::wire;

namespace {

/// Another process (rdvctl init, a backup) may hold the file for a moment.
constexpr int busy_timeout_ms = 5'000;
/// Codes kept of one device, used and expired ones too, so that a refusal can say why.
constexpr int codes_per_device_max = 16;

class SqliteStore final : public Store {
 public:
  SqliteStore(const std::filesystem::path& file, bool create)
      : file_{file.string()},
        db_{file_, SQLite::OPEN_READWRITE | (create ? SQLite::OPEN_CREATE : 0), busy_timeout_ms} {
    prepare_schema(db_);
  }
  ~SqliteStore() override {
    try {
      write_pending();
    } catch (const StoreError&) {  // the next start shows an older last_seen
    }
  }

  std::optional<DeviceRecord> find(const Name& name) override {
    return guarded("read a device", [&] { return find_now(name); });
  }

  std::vector<DeviceRecord> onsites_of(const Name& system) override {
    return guarded("read the devices", [&] {
      SQLite::Statement query{
          db_, fmt::format("SELECT {} FROM devices WHERE system = ? AND role = 'onsite' "
                           "AND state <> 'revoked' ORDER BY name",
                           device_columns)};
      query.bind(1, system.str());
      return all(query);
    });
  }

  std::vector<DeviceRecord> devices() override {
    return guarded("read the devices", [&] {
      SQLite::Statement query{db_,
                              fmt::format("SELECT {} FROM devices ORDER BY name", device_columns)};
      return all(query);
    });
  }

  void note_seen(const Name& name, UnixSeconds when) override {
    seen_.insert_or_assign(name, when);
  }

  void write_pending() override {
    guarded("write what could not be written before", [&] { write_late(); });
    if (seen_.empty()) return;
    guarded("write when devices were seen", [&] {
      SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
      SQLite::Statement update{db_,
                               "UPDATE devices SET last_seen = max(last_seen, ?) WHERE name = ?"};
      for (const auto& [name, when] : seen_) {
        update.reset();
        update.bind(1, when);
        update.bind(2, name.str());
        update.exec();
      }
      transaction.commit();
      seen_.clear();
    });
  }

  StoreAnswer add(const NewDevice& device, const NewCode& code, UnixSeconds now,
                  std::size_t devices_max) override {
    return guarded("add a device", [&] {
      SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
      if (find_now(device.name)) return StoreAnswer::exists;
      const auto count = db_.execAndGet("SELECT count(*) FROM devices").getInt64();
      if (static_cast<std::size_t>(count) >= devices_max) return StoreAnswer::full;
      SQLite::Statement insert{
          db_,
          "INSERT INTO devices (name, system, role, site, state, created_at, allow_prefixes, "
          "allows_l2) VALUES (?, ?, ?, ?, 'registered', ?, ?, ?)"};
      insert.bind(1, device.name.str());
      insert.bind(2, device.system.str());
      insert.bind(3, std::string{to_string(device.role)});
      insert.bind(4, device.site);
      insert.bind(5, now);
      insert.bind(6, join(device.allow));
      insert.bind(7, device.allows_l2 ? 1 : 0);
      insert.exec();
      insert_code(device.name, code, now);
      transaction.commit();
      return StoreAnswer::done;
    });
  }

  StoreAnswer replace_code(const Name& name, const NewCode& code, UnixSeconds now) override {
    return guarded("write an enrolment code", [&] {
      SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
      const auto device = find_now(name);
      if (!device) return StoreAnswer::unknown;
      if (device->state == DeviceState::revoked) return StoreAnswer::revoked;
      SQLite::Statement update{
          db_,
          "UPDATE codes SET replaced_at = ? WHERE device = ? AND used_at = 0 AND replaced_at = 0"};
      update.bind(1, now);
      update.bind(2, name.str());
      update.exec();
      insert_code(name, code, now);
      transaction.commit();
      return StoreAnswer::done;
    });
  }

  EnrolOutcome enrol(const Hash& secret_hash, UnixSeconds now, const Issue& issue) override {
    return guarded("enrol a device", [&]() -> EnrolOutcome {
      SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
      SQLite::Statement query{
          db_,
          "SELECT device, expires, used_at, replaced_at, used_by FROM codes WHERE secret_hash = ?"};
      query.bindNoCopy(1, secret_hash.data(), static_cast<int>(secret_hash.size()));
      if (!query.executeStep()) return CodeUnknown{};
      const Name name = name_of(query.getColumn(0));
      const UnixSeconds expires = query.getColumn(1).getInt64();
      const UnixSeconds used_at = query.getColumn(2).getInt64();
      const UnixSeconds replaced_at = query.getColumn(3).getInt64();
      const auto device = find_now(name);
      if (!device) return CodeUnknown{};
      if (device->state == DeviceState::revoked) return CodeOfRevoked{name, device->revoked_at};
      // The answer may have been lost: the key that it went to may ask again.
      const bool is_used = used_at != 0;
      const bool may_repeat = expires > now && device->key_hash &&
                              std::ranges::equal(blob(query.getColumn(4)), *device->key_hash);
      if (is_used && !may_repeat) return CodeUsed{name, used_at};
      if (replaced_at != 0) return CodeExpired{name, replaced_at, true};
      if (expires <= now) return CodeExpired{name, expires, false};
      auto certificate = issue(*device);
      if (is_used && certificate.key_hash != device->key_hash) return CodeUsed{name, used_at};
      if (const auto other = other_owner(certificate.key_hash, name)) return KeyTaken{*other};
      consume(secret_hash, *device, certificate, now);
      transaction.commit();
      renewed_.erase(name);  // that was the certificate before
      return CodeAccepted{*find_now(name), std::move(certificate)};
    });
  }

  void note_renewed(const Name& name, UnixSeconds certificate_expires) override {
    renewed_.insert_or_assign(name, certificate_expires);
    try {
      write_late();
    } catch (const SQLite::Exception&) {  // write_pending() tries again, and says so
    }
  }

  StoreAnswer revoke(const Name& name, std::string_view reason, UnixSeconds now) override {
    return guarded("revoke a device", [&] {
      SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
      const auto device = find_now(name);
      if (!device) return StoreAnswer::unknown;
      if (device->state == DeviceState::revoked) return StoreAnswer::revoked;
      SQLite::Statement update{db_,
                               "UPDATE devices SET state = 'revoked', revoked_at = ?, "
                               "revoked_reason = ? WHERE name = ?"};
      update.bind(1, now);
      update.bind(2, std::string{reason});
      update.bind(3, name.str());
      update.exec();
      transaction.commit();
      return StoreAnswer::done;
    });
  }

  StoreAnswer set_allows_l2(const Name& name, bool allows) override {
    return guarded("change a device", [&] {
      SQLite::Statement update{db_, "UPDATE devices SET allows_l2 = ? WHERE name = ?"};
      update.bind(1, allows ? 1 : 0);
      update.bind(2, name.str());
      return update.exec() == 0 ? StoreAnswer::unknown : StoreAnswer::done;
    });
  }

  StoreAnswer remove(const Name& name) override {
    return guarded("remove a device", [&] {
      seen_.erase(name);
      renewed_.erase(name);
      SQLite::Statement query{db_, "DELETE FROM devices WHERE name = ?"};
      query.bind(1, name.str());
      return query.exec() == 0 ? StoreAnswer::unknown : StoreAnswer::done;
    });
  }

  void keep(const KeptSession& session) override {
    unkept_.insert_or_assign(tunnel::format_session_id(session.grant.session), session);
    guarded("write a session", [&] { write_late(); });
  }

  void drop(std::uint64_t session) override {
    const auto id = tunnel::format_session_id(session);
    unkept_.erase(id);
    auto kept = kept_.extract(id);
    if (kept.empty()) return;  // its grant was never given, or never written
    undropped_.insert(std::move(kept));
    guarded("remove a session that is over", [&] { write_late(); });
  }

  std::vector<KeptSession> kept_sessions() override {
    return guarded("read the sessions", [&] {
      std::vector<KeptSession> sessions;
      {
        SQLite::Statement query{db_,
                                "SELECT id, last_grant, seconds, since, expires FROM sessions"};
        while (query.executeStep())
          if (auto session = kept_of(query)) sessions.push_back(*std::move(session));
      }
      try {
        write_late();
      } catch (const SQLite::Exception&) {  // write_pending() tries again
      }
      return sessions;
    });
  }

  void note_audit_head(const AuditHead& head) override {
    guarded("note the end of the audit", [&] {
      SQLite::Statement insert{
          db_, "INSERT OR REPLACE INTO audit_head (one, sequence, hash) VALUES (1, ?, ?)"};
      insert.bind(1, static_cast<std::int64_t>(head.sequence));
      insert.bindNoCopy(2, head.hash.data(), static_cast<int>(head.hash.size()));
      insert.exec();
    });
  }

  AuditHead audit_head() override {
    return guarded("read the end of the audit", [&] { return audit_head_of(db_); });
  }

 private:
  /// @return nothing when the row cannot be read: it is to be dropped
  std::optional<KeptSession> kept_of(SQLite::Statement& row) {
    auto id = row.getColumn(0).getString();
    auto grant = wire::decode_grant(blob(row.getColumn(1)));
    if (!grant || tunnel::format_session_id(grant->session) != id) {
      undropped_.insert(std::move(id));
      return std::nullopt;
    }
    kept_.insert(std::move(id));
    return KeptSession{.grant = *std::move(grant),
                       .seconds = row.getColumn(2).getUInt(),
                       .since = row.getColumn(3).getInt64(),
                       .expires = row.getColumn(4).getInt64()};
  }

  /// What is over, what runs, what was renewed: all of it or none.
  void write_late() {
    if (undropped_.empty() && unkept_.empty() && renewed_.empty()) return;
    SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
    for (const auto& id : undropped_)
      drop_row(id);
    for (const auto& [id, session] : unkept_)
      keep_row(id, session);
    for (const auto& [name, expires] : renewed_)
      renew_row(name, expires);
    transaction.commit();
    undropped_.clear();
    renewed_.clear();
    for (const auto& [id, session] : unkept_)
      kept_.insert(id);
    unkept_.clear();
  }

  void drop_row(const std::string& id) {
    SQLite::Statement query{db_, "DELETE FROM sessions WHERE id = ?"};
    query.bind(1, id);
    query.exec();
  }

  void keep_row(const std::string& id, const KeptSession& session) {
    const auto& grant = session.grant;
    const auto bytes = encode_grant(grant);
    SQLite::Statement insert{
        db_,
        "INSERT OR REPLACE INTO sessions (id, master, onsite, epoch, last_grant, seconds, since, "
        "expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"};
    insert.bind(1, id);
    insert.bind(2, grant.master.name.str());
    insert.bind(3, grant.onsite.name.str());
    insert.bind(4, grant.epoch);
    insert.bindNoCopy(5, bytes.data(), static_cast<int>(bytes.size()));
    insert.bind(6, session.seconds);
    insert.bind(7, session.since);
    insert.bind(8, session.expires);
    insert.exec();
  }

  void renew_row(const Name& name, UnixSeconds expires) {
    SQLite::Statement update{db_, "UPDATE devices SET certificate_expires = ? WHERE name = ?"};
    update.bind(1, expires);
    update.bind(2, name.str());
    update.exec();
  }

  /// Says what was attempted on which file when SQLite cannot.
  template <class Work>
  auto guarded(const char* attempted, Work work) -> decltype(work()) {
    try {
      return work();
    } catch (const SQLite::Exception& e) {
      throw StoreError{fmt::format("cannot {} in {}: {}", attempted, file_, e.what())};
    }
  }

  std::vector<DeviceRecord> all(SQLite::Statement& query) {
    std::vector<DeviceRecord> records;
    while (query.executeStep())
      records.push_back(with_seen(record_of(query)));
    return records;
  }

  std::optional<DeviceRecord> find_now(const Name& name) {
    if (!find_)
      find_.emplace(db_, fmt::format("SELECT {} FROM devices WHERE name = ?", device_columns));
    find_->reset();
    find_->bind(1, name.str());
    std::optional<DeviceRecord> found;
    if (find_->executeStep()) found = with_seen(record_of(*find_));
    find_->reset();  // a statement in progress would hold the read transaction open
    return found;
  }

  DeviceRecord with_seen(DeviceRecord record) const {
    if (const auto it = seen_.find(record.name); it != seen_.end())
      record.last_seen = std::max(record.last_seen, it->second);
    return record;
  }

  /// Another device than `name` that has this key.
  std::optional<Name> other_owner(const Hash& key_hash, const Name& name) {
    SQLite::Statement query{db_, "SELECT name FROM devices WHERE key_hash = ? AND name <> ?"};
    query.bindNoCopy(1, key_hash.data(), static_cast<int>(key_hash.size()));
    query.bind(2, name.str());
    if (!query.executeStep()) return std::nullopt;
    return name_of(query.getColumn(0));
  }

  void insert_code(const Name& name, const NewCode& code, UnixSeconds now) {
    SQLite::Statement insert{
        db_, "INSERT INTO codes (secret_hash, device, created_at, expires) VALUES (?, ?, ?, ?)"};
    insert.bindNoCopy(1, code.secret_hash.data(), static_cast<int>(code.secret_hash.size()));
    insert.bind(2, name.str());
    insert.bind(3, now);
    insert.bind(4, code.expires);
    insert.exec();
    SQLite::Statement prune{db_,
                            "DELETE FROM codes WHERE device = ?1 AND rowid NOT IN (SELECT rowid "
                            "FROM codes WHERE device = ?1 ORDER BY rowid DESC LIMIT ?2)"};
    prune.bind(1, name.str());
    prune.bind(2, codes_per_device_max);
    prune.exec();
  }

  void consume(const Hash& secret_hash, const DeviceRecord& device,
               const IssuedCertificate& certificate, UnixSeconds now) {
    SQLite::Statement use{db_, "UPDATE codes SET used_at = ?, used_by = ? WHERE secret_hash = ?"};
    use.bind(1, now);
    use.bindNoCopy(2, certificate.key_hash.data(), static_cast<int>(certificate.key_hash.size()));
    use.bindNoCopy(3, secret_hash.data(), static_cast<int>(secret_hash.size()));
    use.exec();
    SQLite::Statement enrol{db_,
                            "UPDATE devices SET state = 'enrolled', key_hash = ?, enrolled_at = ?, "
                            "certificate_expires = ? WHERE name = ?"};
    enrol.bindNoCopy(1, certificate.key_hash.data(), static_cast<int>(certificate.key_hash.size()));
    enrol.bind(2, now);
    enrol.bind(3, certificate.expires);
    enrol.bind(4, device.name.str());
    enrol.exec();
  }

  std::string file_;
  SQLite::Database db_;
  std::optional<SQLite::Statement> find_;
  std::map<Name, UnixSeconds> seen_;  // at most as many as there are devices
  std::set<std::string> kept_;        // the rows of live sessions
  // What could not be written yet, at most as much as there are sessions and devices:
  std::set<std::string> undropped_;            // the rows of sessions that are over
  std::map<std::string, KeptSession> unkept_;  // by the row's id
  std::map<Name, UnixSeconds> renewed_;        // until when the new certificate is good
};

}  // namespace

std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& file, bool create) try {
  // SQLite gives the files beside it the mode of the first.
  if (create && file != in_memory)
    tunnel::UniqueFd{::open(file.c_str(), O_CREAT | O_CLOEXEC, 0600)};
  return std::make_unique<SqliteStore>(file, create);
} catch (const SQLite::Exception& e) {
  throw StoreError{fmt::format("cannot open the store {}: {}", file.string(), e.what())};
}

AuditHead read_audit_head(const std::filesystem::path& file) try {
  SQLite::Database db{file.string(), SQLite::OPEN_READONLY, busy_timeout_ms};
  return db.tableExists("audit_head") ? audit_head_of(db) : AuditHead{};
} catch (const SQLite::Exception& e) {
  throw StoreError{fmt::format("cannot read the store {}: {}", file.string(), e.what())};
}

}  // namespace rdv
