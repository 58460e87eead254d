#include "netd/uplink_keeper.hpp"

#include "base/log.hpp"
#include "netd/sysfs.hpp"

#include <algorithm>
#include <fnmatch.h>
#include <utility>

namespace device {
namespace {

namespace log = tunnel::log;

std::vector<std::string> entries_of(const Config::Uplink& config) {
  return config.device.empty() ? config.devices : std::vector<std::string>{config.device};
}

bool names(const std::vector<UplinkWay>& ways, const std::string& name) {
  return std::ranges::find(ways, name, &UplinkWay::name) != ways.end();
}

}  // namespace

bool is_meant(const std::string& entry, const std::string& name, std::string_view kind) {
  if (entry == "eth") return kind == "lan";
  if (entry == "wlan" || entry == "wwan") return kind == entry;
  return ::fnmatch(entry.c_str(), name.c_str(), 0) == 0;
}

UplinkKeeper::UplinkKeeper(net::Netlink& netlink, const Config::Uplink& config)
    : netlink_{netlink},
      config_{config},
      entries_{entries_of(config)},
      is_fixed_{!config.device.empty()},
      policy_{config.return_after},
      slots_(UplinkPolicy::uplinks_max),
      routes_{netlink,
              {.first_priority = own_source_priority,
               .last_priority = chosen_priority,
               .first_table = first_table,
               .last_table = no_way_table}} {}

void UplinkKeeper::look(Clock::time_point now) {
  usable_ = read_usable();
  std::vector<std::string> by_rank;
  for (const auto& way : usable_)
    by_rank.push_back(way.name);
  policy_.on_usable(by_rank, now);
  apply();
}

void UplinkKeeper::on_report(const std::string& interface, bool answers, Clock::time_point now) {
  const auto before = policy_.active();
  if (answers)
    policy_.on_answer(interface, now);
  else
    policy_.on_silence(interface, now);
  if (before != policy_.active()) apply();
}

void UplinkKeeper::set_servers(std::vector<tunnel::Ipv4Address> servers, Clock::time_point now) {
  std::ranges::sort(servers);
  servers.erase(std::ranges::unique(servers).begin(), servers.end());
  servers_ = std::move(servers);
  look(now);
}

void UplinkKeeper::fix(const std::string& interface, Clock::time_point now) {
  auto config = config_;
  if (!interface.empty()) config.device = interface;
  entries_ = entries_of(config);
  is_fixed_ = !config.device.empty();
  policy_ = UplinkPolicy{config.return_after};
  look(now);
}

std::optional<UplinkWay> UplinkKeeper::active() const {
  const auto found = std::ranges::find(usable_, policy_.active(), &UplinkWay::name);
  return found == usable_.end() ? std::nullopt : std::optional{*found};
}

/// The first entry that means this interface; without a list every interface is as good.
std::optional<std::size_t> UplinkKeeper::rank(const std::string& name,
                                              std::string_view kind) const {
  if (!is_configured()) return 0;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (is_fixed_ ? entries_[i] == name : is_meant(entries_[i], name, kind)) return i;
  return std::nullopt;
}

std::vector<UplinkWay> UplinkKeeper::read_usable() {
  struct Rated {
    std::size_t rank;
    UplinkWay way;
  };
  std::vector<Rated> found;
  const auto links = netlink_.links();
  const auto addresses = netlink_.addresses();
  for (const auto& route : netlink_.default_routes()) {
    const auto link = std::ranges::find(links, route.index, &net::LinkInfo::index);
    const auto address = std::ranges::find(addresses, route.index, &net::AddressInfo::index);
    if (link == links.end() || !link->carrier || address == addresses.end()) continue;
    const auto kind =
        uplink_kind(link->name, link->hardware, is_wireless(link->name), devtype(link->name));
    if (const auto order = rank(link->name, kind))
      found.push_back({*order, {link->index, link->name, kind, address->address, route.gateway}});
  }
  // Of two that are wanted alike the one with the lower metric, as default_routes() has them.
  std::ranges::stable_sort(found, {}, &Rated::rank);
  std::vector<UplinkWay> usable;
  for (auto& one : found)
    usable.push_back(std::move(one.way));
  usable.resize(std::min(usable.size(), is_configured() ? UplinkPolicy::uplinks_max : 1));
  return usable;
}

/// An uplink keeps its table as long as it is usable, so that another's loss changes nothing of it.
std::uint32_t UplinkKeeper::table_of(const std::string& name) {
  auto slot = std::ranges::find(slots_, name);
  if (slot == slots_.end())
    slot = std::ranges::find_if(slots_,
                                [&](const std::string& owner) { return !names(usable_, owner); });
  *slot = name;
  return first_table + static_cast<std::uint32_t>(slot - slots_.begin());
}

net::PolicyRoutes::Desired UplinkKeeper::desired() {
  net::PolicyRoutes::Desired desired;
  if (!is_configured() || servers_.empty()) return desired;
  const auto add = [&](const net::PolicyRoutes::Rule& rule) {
    if (std::ranges::find(desired.rules, rule) == desired.rules.end())
      desired.rules.push_back(rule);
  };
  std::uint32_t chosen = is_fixed_ ? no_way_table : 0;
  for (const auto& way : usable_) {
    const auto table = table_of(way.name);
    for (const auto& server : servers_)
      desired.routes.push_back({table, server, way.gateway, way.index});
    add({own_source_priority, way.address.address, table});
    if (way.name == policy_.active()) chosen = table;
  }
  if (chosen == no_way_table)
    for (const auto& server : servers_)
      desired.routes.push_back({no_way_table, server, {}, 0});
  if (chosen != 0) add({chosen_priority, std::nullopt, chosen});
  return desired;
}

void UplinkKeeper::apply() {
  if (const auto changes = routes_.apply(desired()))
    log::debug("the routes to the server were changed",
               {log::link(policy_.active()), log::count(changes)});
}

}  // namespace device
