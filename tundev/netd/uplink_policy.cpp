#include "netd/uplink_policy.hpp"

#include <algorithm>

namespace device {

void UplinkPolicy::on_usable(const std::vector<std::string>& names, Clock::time_point now) {
  std::vector<Way> ways;
  for (const auto& name : names) {
    if (ways.size() >= uplinks_max) break;
    const auto* known = find(name);
    ways.push_back(known == nullptr ? Way{.name = name} : *known);
  }
  ways_ = std::move(ways);
  decide(now);
}

void UplinkPolicy::on_answer(const std::string& name, Clock::time_point now) {
  auto* way = find(name);
  if (way == nullptr) return;
  const bool goes_on = way->last_answer && now - *way->last_answer <= answers_apart_max;
  if (!goes_on || !way->answers_since) way->answers_since = now;
  way->last_answer = now;
  way->silent_since.reset();
  if (name == active_ && returned_ && now - *returned_ >= proven_after) {
    returned_.reset();
    std::erase_if(records_, [&](const Record& record) { return record.name == name; });
  }
  decide(now);
}

void UplinkPolicy::on_silence(const std::string& name, Clock::time_point now) {
  auto* way = find(name);
  if (way == nullptr) return;
  way->answers_since.reset();
  way->last_answer.reset();
  if (!way->silent_since) way->silent_since = now;
  decide(now);
}

Clock::duration UplinkPolicy::return_after(const std::string& name) const {
  const auto record = std::ranges::find(records_, name, &Record::name);
  return record == records_.end() ? return_after_ : record->return_after;
}

UplinkPolicy::Way* UplinkPolicy::find(const std::string& name) {
  const auto way = std::ranges::find(ways_, name, &Way::name);
  return way == ways_.end() ? nullptr : &*way;
}

void UplinkPolicy::decide(Clock::time_point now) {
  const auto* mine = find(active_);
  if (mine == nullptr) {
    const auto* other = best(now);
    return change_to(other == nullptr ? "" : other->name, false, now);
  }
  if (mine->silent_since) {
    const auto* other = best(now);
    const bool answers = other->last_answer && now - *other->last_answer <= answer_is_fresh;
    if (other == mine || !answers) return;
    note_early_return(active_);
    return change_to(other->name, false, now);
  }
  if (const auto* other = better_than(*mine, now)) change_to(other->name, true, now);
}

/// One that answers, else one that nobody has tried, else any; of equals the one of higher
/// priority. Nothing when none is usable.
const UplinkPolicy::Way* UplinkPolicy::best(Clock::time_point now) const {
  const auto rank = [now](const Way& way) {
    if (way.last_answer && now - *way.last_answer <= answer_is_fresh) return 0;
    return way.silent_since ? 2 : 1;
  };
  const auto found = std::ranges::min_element(ways_, {}, rank);  // the first of equals
  return found == ways_.end() ? nullptr : &*found;
}

const UplinkPolicy::Way* UplinkPolicy::better_than(const Way& mine, Clock::time_point now) const {
  for (const auto& way : ways_) {
    if (&way == &mine) return nullptr;
    if (way.answers_since && now - *way.last_answer <= answers_apart_max &&
        now - *way.answers_since >= return_after(way.name))
      return &way;
  }
  return nullptr;
}

void UplinkPolicy::change_to(const std::string& name, bool is_return, Clock::time_point now) {
  if (name == active_) return;
  active_ = name;
  returned_ = is_return ? std::optional{now} : std::nullopt;
}

void UplinkPolicy::note_early_return(const std::string& name) {
  if (!returned_) return;
  const auto next = std::min<Clock::duration>(return_after(name) * 2, return_after_max);
  std::erase_if(records_, [&](const Record& record) { return record.name == name; });
  if (records_.size() >= uplinks_max) records_.erase(records_.begin());
  records_.push_back({name, next});
}

}  // namespace device
