#include "netd/extremity_policy.hpp"

#include <algorithm>
#include <fnmatch.h>

namespace device {
namespace {

bool matches(const std::string& glob, const std::string& name) {
  return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

bool is_virtual(const LinkFacts& link) {
  return !link.kind.empty() && link.kind != "veth";
}

}  // namespace

WhyNot ExtremityPolicy::why_not(const LinkFacts& link) const {
  constexpr std::string_view elsewhere = "connect the laptop to another adapter";
  constexpr std::string_view see_match = "see [master] match in /etc/rdv/device.toml";
  constexpr std::string_view usb_or_match =
      "connect the laptop to a USB adapter, or name this port in [master] match";
  if (!link.ethernet) return {"it is no Ethernet interface", elsewhere};
  if (link.name.starts_with("rdv")) return {"it is one of ours", elsewhere};
  if (link.wireless || link.name.starts_with("wl")) return {"it is Wi-Fi", elsewhere};
  if (link.default_route) return {"it is a way to the Internet", elsewhere};
  if (link.enslaved) return {"it is a port of a bridge or bond", "take it out of there"};
  for (const auto& glob : config_.exclude)
    if (matches(glob, link.name))
      return {"the configuration excludes it", "see [master] exclude in /etc/rdv/device.toml"};
  if (std::ranges::find(config_.uplinks, link.name) != config_.uplinks.end())
    return {"the configuration names it as the uplink", "see [uplink] in /etc/rdv/device.toml"};
  if (!config_.match.empty())
    return matches(config_.match, link.name)
               ? WhyNot{}
               : WhyNot{"the configuration wants another name", see_match};
  if (link.on_board) return {"it is the board's own port", usb_or_match};
  if (link.name == "eth0" && !link.usb) return {"eth0 is the built-in port", usb_or_match};
  if (is_virtual(link)) return {"it is virtual", see_match};
  if (link.addressed)
    return {"somebody else has given it an address",
            "take that away, or name this port in [master] match"};
  return {};
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

PortReport ExtremityPolicy::report_on(const LinkFacts& link, const LinkFacts* current, bool doubt,
                                      const std::string& trouble) const {
  const auto no = [&](std::string reason, std::string remedy) {
    return PortReport{link.name, false, std::move(reason), std::move(remedy)};
  };
  if (&link == current)
    return trouble.empty() ? PortReport{link.name, true, {}, {}}
                           : no(trouble, "see why with: journalctl -u tundev-netd");
  if (const auto why = why_not(link); !why.empty())
    return no(std::string{why.reason}, std::string{why.remedy});
  if (!link.carrier)
    return no("nobody is at the other end of its cable",
              "connect the laptop to it and switch the laptop on");
  if (current != nullptr)
    return no(current->name + " is the laptop's port",
              "disconnect that one if the laptop is to use this");
  if (doubt)
    return no("there is no default route yet, and another adapter may be the uplink, too",
              "connect the uplink, or name the laptop's port in [master] match");
  return no(trouble.empty() ? "it is being looked at" : trouble,
            "see why with: journalctl -u tundev-netd");
}

std::vector<PortReport> ExtremityPolicy::report(std::span<const LinkFacts> links,
                                                std::optional<int> current,
                                                const std::string& trouble) const {
  std::vector<const LinkFacts*> ports;
  const LinkFacts* in_use = nullptr;
  for (const auto& link : links) {
    if (link.index == current) in_use = &link;
    const bool is_port = link.ethernet && !link.name.starts_with("rdv") && !is_virtual(link);
    if (is_port || link.index == current || why_not(link).empty()) ports.push_back(&link);
  }
  std::ranges::stable_sort(ports, {}, [](const auto* link) { return !link->kind.empty(); });
  if (ports.size() > reports_max) ports.resize(reports_max);
  std::vector<PortReport> reports;
  for (const auto* link : ports)
    reports.push_back(report_on(*link, in_use, in_doubt(links), trouble));
  return reports;
}

}  // namespace device
