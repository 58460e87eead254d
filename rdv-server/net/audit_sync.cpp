#include "net/audit_sync.hpp"

#include <csignal>
#include <pthread.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace rdv {

AuditSync::AuditSync(tunnel::io::asio::any_io_executor executor, OnDone on_done)
    : executor_{std::move(executor)}, on_done_{std::make_shared<OnDone>(std::move(on_done))} {
  // Signals are the event loop's.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread{[this] { serve(); }};
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AuditSync::~AuditSync() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
  *on_done_ = nullptr;
}

void AuditSync::start(tunnel::UniqueFd file) {
  {
    const std::lock_guard lock{mutex_};
    file_ = std::move(file);
  }
  wakeup_.notify_one();
}

void AuditSync::serve() {
  for (;;) {
    std::unique_lock lock{mutex_};
    wakeup_.wait(lock, [this] { return stopping_ || file_; });
    if (stopping_) return;
    const auto file = std::exchange(file_, {});
    lock.unlock();
    std::string failure;
    if (::fdatasync(file.get()) != 0)
      failure = "cannot write the audit to the disk: " + std::system_category().message(errno);
    tunnel::io::asio::post(executor_, [on_done = on_done_, failure = std::move(failure)] {
      if (*on_done) (*on_done)(failure);
    });
  }
}

}  // namespace rdv
