#include "audit/limit.hpp"

#include "audit/words.hpp"

namespace rdv {

namespace {

const std::string& subject_of(const Event& event) {
  return event.device.empty() ? event.master : event.device;
}

}  // namespace

bool AuditLimit::takes(const Event& event, tunnel::Clock::time_point now) {
  if (!is_cheap(event.kind)) return true;
  auto subject = subject_of(event);
  if (by_subject_.size() >= subjects_max && !by_subject_.contains(subject)) subject.clear();
  auto& allowance =
      by_subject_.try_emplace(std::move(subject), Allowance{.ends = now + period}).first->second;
  if (allowance.taken < taken_max) {
    ++allowance.taken;
    return true;
  }
  ++allowance.left_out;
  return false;
}

std::vector<Event> AuditLimit::sweep(tunnel::Clock::time_point now) {
  std::vector<Event> summaries;
  for (auto it = by_subject_.begin(); it != by_subject_.end();) {
    const auto& [subject, allowance] = *it;
    if (now < allowance.ends) {
      ++it;
      continue;
    }
    if (allowance.left_out > 0)
      summaries.push_back({.kind = Event::Kind::left_out,
                           .device = subject,
                           .count = allowance.left_out,
                           .seconds = std::chrono::seconds{period}.count()});
    it = by_subject_.erase(it);
  }
  return summaries;
}

}  // namespace rdv
