#include "firstboot/status.hpp"

#include "base/proxy_url.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace device {

std::string CardStatus::text(tunnel::UnixSeconds now) const {
  auto out = fmt::format(
      "{}: {}\n\n", name.empty() ? "This card" : name,
      enrolled ? "enrolled. Nothing is left to do with this card." : "not enrolled yet.");
  for (const auto& sentence : why)
    out += fmt::format("What is wrong: {}\n", sentence);
  if (!next.empty()) out += fmt::format("What to do:    {}\n", next);
  if (!done.empty()) out += fmt::format("What is set:   {}\n", done);
  return out + fmt::format("\nWritten {:%Y-%m-%d %H:%M:%S} UTC by the device's clock, RDV {}.\n",
                           fmt::gmtime(static_cast<std::time_t>(now)), RDV_VERSION);
}

std::string summary(const tunnel::provision::Provisioning& p) {
  const auto& uplink = p.uplink;
  const auto& detail = uplink.kind == "wifi"  ? uplink.ssid
                       : uplink.kind == "apn" ? uplink.apn
                                              : uplink.address;
  std::string problem;
  const auto proxy = tunnel::ProxyUrl::parse(p.proxy.url, problem);
  return fmt::format("uplink {}{}{}, {} ssh key{}{}{}", uplink.kind,
                     detail.empty() ? "" : fmt::format(" ({})", detail),
                     uplink.interface.empty() ? "" : " by " + uplink.interface, p.ssh_keys.size(),
                     p.ssh_keys.size() == 1 ? "" : "s",
                     p.ssh_keys.empty() ? " (nobody can log in by ssh)" : "",
                     !p.proxy.url.empty() && proxy ? ", proxy " + proxy->address() : "");
}

}  // namespace device
