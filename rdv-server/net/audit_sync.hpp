#pragma once
#include "base/unique_fd.hpp"
#include "io/asio.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace rdv {

/// Writes a file to its disk (fdatasync(2)) in a thread of its own: a slow disk then holds up
/// nobody but those who wait for this file. One at a time.
class AuditSync {
 public:
  /// @param failure  "" or why it could not be written
  using OnDone = std::function<void(std::string failure)>;

  /// @param on_done  called on the executor, once for each start()
  AuditSync(tunnel::io::asio::any_io_executor executor, OnDone on_done);
  AuditSync(AuditSync&&) = delete;
  /// Waits for the disk if it is at work; on_done is not called any more.
  ~AuditSync();

  /// Not to be called again before on_done.
  void start(tunnel::UniqueFd file);

 private:
  void serve();

  tunnel::io::asio::any_io_executor executor_;
  std::shared_ptr<OnDone> on_done_;  // with what is posted, which may be run after our destruction
  std::mutex mutex_;
  std::condition_variable wakeup_;
  tunnel::UniqueFd file_;  // to be synced; guarded by mutex_, as the next
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace rdv
