#include "policy.hpp"

#include "utc.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rdv {

using tunnel::wire::Mode;
using tunnel::wire::Name;
using tunnel::wire::RefusalCode;
using tunnel::wire::Role;

Verdict may_list(const DeviceRecord& device) {
  if (device.role != Role::master)
    return {"only-masters-look", RefusalCode::wrong_role,
            fmt::format("{} is an onsite; only a master may list the devices", device.name.str())};
  return {.rule = "master-of-the-system"};
}

Verdict may_open(const DeviceRecord& master, const Name& asked,
                 const std::optional<DeviceRecord>& found, Mode mode) {
  const auto& name = asked.str();
  if (master.role != Role::master)
    return {"only-masters-open", RefusalCode::wrong_role,
            fmt::format("{} is an onsite; only a master may open a session", master.name.str())};
  if (!found || found->system != master.system)
    return {"same-system", RefusalCode::unknown_device,
            fmt::format("there is no device {} in the system {}", name, master.system.str())};
  if (found->role != Role::onsite)
    return {"onsite-only", RefusalCode::wrong_role,
            fmt::format("{} is a master; a session is opened to an onsite", name)};
  if (found->state == DeviceState::revoked)
    return {"not-revoked", RefusalCode::revoked,
            fmt::format("{} was revoked at {}", name, format_utc(found->revoked_at))};
  if (found->state != DeviceState::enrolled)
    return {"enrolled", RefusalCode::not_allowed,
            fmt::format("{} is registered but has not been enrolled yet", name)};
  if (mode == Mode::l2 && !found->allows_l2)
    return {"l2", RefusalCode::not_allowed,
            fmt::format("{} is not open to mode L2, which joins the laptop to its whole LAN; the "
                        "administrator permits it with: rdvctl device l2 {} on",
                        name, name)};
  if (mode == Mode::l2) return {.rule = "l2"};
  return {.rule = "same-system"};
}

std::uint32_t session_seconds(std::uint32_t asked_seconds, std::uint32_t default_seconds,
                              std::uint32_t max_seconds) {
  return std::clamp(asked_seconds == 0 ? default_seconds : asked_seconds, std::uint32_t{1},
                    std::max(max_seconds, std::uint32_t{1}));
}

}  // namespace rdv
