#include "audit/queue.hpp"

#include <algorithm>
#include <utility>

namespace rdv {

void AuditQueue::push(Event event, tunnel::UnixMillis time) {
  if (lost_ > 0 || waiting_.size() >= waiting_max) {
    ++lost_;
    return;
  }
  waiting_.push_back({std::move(event), time});
}

AuditQueue::Change AuditQueue::set_trouble(std::string_view trouble, tunnel::UnixMillis now) {
  if (!trouble.empty()) {
    const bool is_new = trouble_.empty();
    trouble_ = trouble;
    if (!is_new) return Change::none;
    since_ = now;
    push({.kind = Event::Kind::audit_alarm, .text = trouble_}, now);
    return Change::raised;
  }
  if (trouble_.empty() || !waiting_.empty()) return Change::none;
  Event gap{.kind = Event::Kind::audit_gap,
            .text = std::exchange(trouble_, {}),
            .count = std::exchange(lost_, 0),
            .seconds = std::max<tunnel::UnixMillis>(now - since_, 0) / 1000};
  push(std::move(gap), now);
  return Change::over;
}

}  // namespace rdv
