#include "firstboot/enrolling.hpp"

#include <algorithm>

namespace device {

Enrolling::Next Enrolling::on_failure(std::string_view error, const AgentFacts& agent) {
  if (error != "Denied" && error != "InvalidArgument") return Next::again;
  if (agent.name != name_) return Next::give_up;
  if (agent.connected) return Next::done;
  return ++refused_ < settle_tries ? Next::again : Next::give_up;
}

std::chrono::seconds Enrolling::delay() {
  const auto now = delay_;
  delay_ = std::min(2 * delay_, delay_cap);
  return now;
}

}  // namespace device
