#include "netd/extremity_policy.hpp"

#include <algorithm>
#include <fnmatch.h>

namespace device {
namespace {

bool matches(const std::string& glob, const std::string& name) {
  return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

std::string_view ExtremityPolicy::why_not(const LinkFacts& link) const {
  if (!link.ethernet) return "it is no Ethernet interface";
  if (link.name.starts_with("rdv")) return "it is one of ours";
  if (link.wireless || link.name.starts_with("wl")) return "it is Wi-Fi";
  if (link.default_route) return "it is a way to the Internet";
  if (link.enslaved) return "it is a port of a bridge or bond";
  for (const auto& glob : config_.exclude)
    if (matches(glob, link.name)) return "the configuration excludes it";
  if (std::ranges::find(config_.uplinks, link.name) != config_.uplinks.end())
    return "the configuration names it as the uplink";
  if (!config_.match.empty())
    return matches(config_.match, link.name) ? "" : "the configuration wants another name";
  if (link.on_board) return "it is the board's own port";
  if (link.name == "eth0" && !link.usb) return "eth0 is the built-in port";
  if (!link.kind.empty() && link.kind != "veth") return "it is virtual";
  if (link.addressed) return "somebody else has given it an address";
  return "";
}

bool ExtremityPolicy::usable(const LinkFacts& link, std::optional<int> current) const {
  if (!link.carrier) return false;
  if (link.index != current) return why_not(link).empty();
  auto ours = link;
  ours.addressed = false;
  return why_not(ours).empty();
}

/// Without a cable yet it may be the uplink all the same: carrier takes seconds after power-on.
bool ExtremityPolicy::in_doubt(std::span<const LinkFacts> links) const {
  if (!config_.match.empty()) return false;
  if (std::ranges::any_of(links, &LinkFacts::default_route)) return false;
  return std::ranges::count_if(links, [&](const auto& link) { return why_not(link).empty(); }) > 1;
}

ExtremityPolicy::Choice ExtremityPolicy::choose(std::span<const LinkFacts> links,
                                                std::optional<int> current) const {
  std::vector<const LinkFacts*> usable_links;
  for (const auto& link : links)
    if (usable(link, current)) usable_links.push_back(&link);
  // The one in use first, then in the order in which they came: the kernel only counts indices up.
  std::sort(usable_links.begin(), usable_links.end(), [&](const auto* a, const auto* b) {
    const bool a_current = a->index == current, b_current = b->index == current;
    return a_current != b_current ? a_current : a->index < b->index;
  });
  const bool doubt = in_doubt(links);
  Choice choice;
  for (const auto* link : usable_links) {
    if (link->index == current || !(doubt || choice.index))
      choice.index = link->index;
    else
      (doubt ? choice.doubtful : choice.spares).push_back(link->name);
  }
  return choice;
}

}  // namespace device
