#include "registry.hpp"

#include <utility>

namespace rdv {

using tunnel::Clock;
using tunnel::wire::Name;

Registry::Joined Registry::join(OnlineDevice device, Clock::time_point now, bool proven) {
  const Name name = device.identity.name;
  const auto old = online_.find(name);
  if (old == online_.end()) {
    online_.emplace(name, std::move(device));
    return {};
  }
  Joined joined{.replaced = std::exchange(old->second, std::move(device))};
  if (proven) return joined;
  auto& fight = fights_[name];
  fight.replacements.push_back(now);
  if (fight.replacements.size() > fight_replacements) fight.replacements.pop_front();
  if (fight.replacements.size() == fight_replacements &&
      now - fight.replacements.front() <= fight_window) {
    fight.replacements.clear();
    fight.quarantined_until = now + quarantine_time;
    online_.erase(old);
    joined.quarantined = true;
  }
  return joined;
}

std::optional<OnlineDevice> Registry::leave(ConnectionId connection, const Name& name) {
  const auto it = online_.find(name);
  if (it == online_.end() || it->second.connection != connection) return std::nullopt;
  std::optional<OnlineDevice> left{std::move(it->second)};
  online_.erase(it);
  return left;
}

Clock::duration Registry::quarantined(const Name& name, Clock::time_point now) const {
  const auto it = fights_.find(name);
  if (it == fights_.end() || it->second.quarantined_until <= now) return Clock::duration::zero();
  return it->second.quarantined_until - now;
}

const OnlineDevice* Registry::find(const Name& name) const {
  const auto it = online_.find(name);
  return it == online_.end() ? nullptr : &it->second;
}

void Registry::update_info(const Name& name, tunnel::wire::Info info) {
  if (const auto it = online_.find(name); it != online_.end()) it->second.info = std::move(info);
}

void Registry::sweep(Clock::time_point now) {
  std::erase_if(fights_, [now](const auto& entry) {
    const auto& fight = entry.second;
    const bool fought_lately =
        !fight.replacements.empty() && now - fight.replacements.back() <= fight_window;
    return !fought_lately && fight.quarantined_until <= now;
  });
}

}  // namespace rdv
