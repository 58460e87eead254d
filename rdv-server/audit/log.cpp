#include "audit/log.hpp"

#include "audit/words.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

namespace rdv {

namespace log = tunnel::log;
using tunnel::unix_now_ms;

AuditLog::AuditLog(AuditFiles::Settings files, WhenFull when_full, Store& store,
                   std::function<void()> on_change)
    : files_{std::move(files)},
      when_full_{when_full},
      store_{store},
      on_change_{std::move(on_change)} {}

bool AuditLog::open() {
  pump();
  return in_order_;
}

void AuditLog::note(const Event& event) {
  if (audit_word(event.kind).empty() || !limit_.takes(event, tunnel::Clock::now())) return;
  queue_.push(event, unix_now_ms());
  pump();
}

void AuditLog::keep_house() {
  files_.look_after_file();
  for (auto& event : limit_.sweep(tunnel::Clock::now()))
    queue_.push(std::move(event), unix_now_ms());
  pump();
  if (noted_ == synced_) return;
  store_.note_audit_head(synced_);
  noted_ = synced_;
}

void AuditLog::close() {
  const auto last = head_;
  try {
    files_.sync();
    synced_ = last;
  } catch (const std::system_error& error) {
    log::error("the audit cannot be written", {log::reason(error.what())});
  }
  if (noted_ == synced_) return;
  store_.note_audit_head(synced_);
  noted_ = synced_;
}

tunnel::UniqueFd AuditLog::begin_sync() {
  auto file = files_.descriptor();
  syncing_ = static_cast<bool>(file);
  syncing_head_ = head_;
  return file;
}

void AuditLog::end_sync(std::string failure) {
  syncing_ = false;
  if (failure.empty()) synced_ = syncing_head_;
  if (failure == sync_failure_) return;
  sync_failure_ = std::move(failure);
  pump();
}

/// Writes what waits, and raises or ends the alarm; each change is one more record.
void AuditLog::pump() {
  for (;;) {
    auto trouble = write_waiting();
    if (trouble.empty()) trouble = sync_failure_;
    const auto before = queue_.trouble();
    const auto lost = queue_.lost();
    const auto change = queue_.set_trouble(trouble, unix_now_ms());
    if (queue_.trouble() != before) on_change_();
    switch (change) {
      case AuditQueue::Change::none: return;
      case AuditQueue::Change::raised:
        log::error("the audit cannot be written", {log::reason(trouble)});
        break;
      case AuditQueue::Change::over:
        log::info("the audit is written again", {log::count(lost)});
        break;
    }
  }
}

/// @return "" or why not everything could be written, or why the next record may not be
std::string AuditLog::write_waiting() try {
  if (!is_open_) take_up();
  for (; !queue_.empty(); queue_.pop()) {
    const auto line = make_audit_line(head_, queue_.front().event, queue_.front().time);
    files_.append(line);
    head_ = line.head;
  }
  files_.make_room();
  return {};
} catch (const std::exception& error) {
  return error.what();
}

/// Where the chain ends, and whether that is where it was left. It goes on behind the newest record
/// that anybody knows of, so that what is missing stays missing.
void AuditLog::take_up() {
  const auto found = files_.open();
  head_ = found.head;
  in_order_ = found.head.sequence == 0 || found.what == audit_word(Event::Kind::server_stopped);
  noted_ = store_.audit_head();
  auto broken = found.damage;
  if (noted_.sequence > head_.sequence)
    broken += fmt::format("{}record {} was noted, record {} is the last one there",
                          broken.empty() ? "" : "; ", noted_.sequence, head_.sequence);
  else if (noted_.sequence == head_.sequence && noted_.hash != head_.hash)
    broken += fmt::format("{}record {} is not the one that was noted", broken.empty() ? "" : "; ",
                          noted_.sequence);
  if (noted_.sequence >= head_.sequence) head_ = noted_;
  is_open_ = true;
  if (!broken.empty()) {
    files_.leave_file();
    log::error("the audit is not as the server left it", {log::reason(broken)});
    queue_.push({.kind = Event::Kind::audit_broken, .text = std::move(broken)}, unix_now_ms());
  }
  if (found.torn_bytes > 0) {
    log::warn("a torn record was removed from the audit", {log::count(found.torn_bytes)});
    queue_.push(
        {.kind = Event::Kind::audit_repaired,
         .text = "the last line was torn by a crash and is removed; so many bytes of it were there",
         .count = found.torn_bytes},
        unix_now_ms());
  }
  synced_ = noted_;  // what the server before wrote behind that may not be on the disk
}

AuditStatus AuditLog::status() const {
  return {.head = head_,
          .trouble = queue_.trouble(),
          .since = queue_.trouble().empty() ? 0 : queue_.since() / 1000,
          .waiting = queue_.waiting(),
          .lost = queue_.lost()};
}

std::string AuditLog::refusal() const {
  if (when_full_ == WhenFull::continue_ || queue_.trouble().empty()) return {};
  return "the server opens no session that it cannot record in its audit: " + queue_.trouble();
}

}  // namespace rdv
