#pragma once
#include "audit/files.hpp"
#include "audit/limit.hpp"
#include "audit/queue.hpp"
#include "config.hpp"
#include "store.hpp"

#include <functional>
#include <string>

namespace rdv {

/// How the audit does, for the administrator.
struct AuditStatus {
  AuditHead head;                 ///< the newest record
  std::string trouble;            ///< why it cannot be written, or soon cannot; "": all is well
  tunnel::UnixSeconds since = 0;  ///< of the trouble
  std::size_t waiting = 0;        ///< events that could not be written yet
  std::uint64_t lost = 0;         ///< in this trouble
};

/// The audit of the running server: takes events, keeps the chain in its files, and copes with a
/// disk that is full. Nothing here throws for what the disk does.
///
/// A record is with the kernel when note() returns (it survives the server), and on the disk after
/// the next sync, which another thread does: syncing() gives it the descriptor.
class AuditLog {
 public:
  /// @param on_change  the trouble has begun, is over, or is another one. The store must outlive
  /// the log.
  AuditLog(AuditFiles::Settings files, WhenFull when_full, Store& store,
           std::function<void()> on_change);

  /// Takes the chain up where the server before left it. @return true when that one ended in order
  bool open();
  void note(const Event& event);
  /// Every few seconds: tries again what could not be written, and notes the chain's end in the
  /// store. @throws StoreError
  void keep_house();
  /// The server stops, and nothing is noted any more. @throws StoreError
  void close();

  bool needs_sync() const { return synced_ != head_ && !syncing_; }
  /// A descriptor to be synced, by any thread; then end_sync().
  tunnel::UniqueFd begin_sync();
  /// @param failure  "" or why it could not be
  void end_sync(std::string failure);

  AuditStatus status() const;
  /// Why no new session may begin: a sentence for the engineer. "": nothing speaks against it
  std::string refusal() const;

 private:
  void pump();
  std::string write_waiting();
  void take_up();

  AuditFiles files_;
  WhenFull when_full_;
  Store& store_;
  std::function<void()> on_change_;
  AuditQueue queue_;
  AuditLimit limit_;
  AuditHead head_;                           // of what was written
  AuditHead syncing_head_, synced_, noted_;  // so far: being synced, on the disk, in the store
  std::string sync_failure_;
  bool is_open_ = false, in_order_ = true, syncing_ = false;
};

}  // namespace rdv
