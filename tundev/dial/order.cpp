#include "dial/order.hpp"

#include <algorithm>

namespace device {
namespace {

/// RFC 2782, "Usage rules": weight 0 first in the list, then the first whose running sum reaches a
/// random number from 0 to the sum.
std::size_t pick(const std::vector<SrvRecord>& same_priority, std::uint64_t random) {
  std::uint64_t sum = 0;
  for (const auto& record : same_priority)
    sum += record.weight;
  const auto at_least = random % (sum + 1);
  std::uint64_t running = 0;
  for (std::size_t i = 0; i < same_priority.size(); ++i)
    if ((running += same_priority[i].weight) >= at_least) return i;
  return same_priority.size() - 1;
}

}  // namespace

std::vector<HostPort> srv_order(std::vector<SrvRecord> records,
                                const std::function<std::uint64_t()>& random) {
  std::erase_if(records, [](const auto& r) { return r.target.empty() || r.port == 0; });
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    if (a.priority != b.priority) return a.priority < b.priority;
    return a.weight == 0 && b.weight != 0;
  });
  std::vector<HostPort> ordered;
  while (!records.empty()) {
    const auto priority = records.front().priority;
    const auto end = std::find_if(records.begin(), records.end(),
                                  [&](const auto& r) { return r.priority != priority; });
    const auto chosen =
        records.begin() + static_cast<std::ptrdiff_t>(pick({records.begin(), end}, random()));
    ordered.push_back({chosen->target, std::to_string(chosen->port)});
    records.erase(chosen);
  }
  return ordered;
}

void ServerMemory::on_failed(const HostPort& server, Clock::time_point now) {
  failed_[server] = now;
  if (failed_.size() <= servers_max) return;
  failed_.erase(std::min_element(failed_.begin(), failed_.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; }));
}

std::vector<HostPort> ServerMemory::order(std::vector<HostPort> servers,
                                          Clock::time_point now) const {
  const auto failed_at = [&](const HostPort& server) {
    const auto found = failed_.find(server);
    const bool lately = found != failed_.end() && now - found->second < avoid_for;
    return lately ? found->second : Clock::time_point::min();
  };
  std::stable_sort(servers.begin(), servers.end(),
                   [&](const auto& a, const auto& b) { return failed_at(a) < failed_at(b); });
  return servers;
}

}  // namespace device
