#include "netd/uplink_reader.hpp"

#include "netd/sysfs.hpp"

#include <fmt/format.h>

#include <fstream>

namespace device {
namespace {

constexpr auto resolved_conf = "/run/systemd/resolve/resolv.conf";

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  std::string text(resolv_conf_bytes_max, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::string_view kind_of(net::Netlink& netlink, const std::string& name) {
  const auto link = netlink.find_link(name);
  return uplink_kind(name, link ? link->hardware : 0, is_wireless(name), devtype(name));
}

/// Those that could take over, the best first.
void add_others(const UplinkKeeper& keeper, Uplink& uplink) {
  bool better = true;
  for (const auto& way : keeper.usable()) {
    if (way.name == uplink.interface)
      better = false;
    else
      uplink.others.push_back({way.name, way.address.address.str(), better});
  }
}

}  // namespace

UplinkReader::UplinkReader(net::Netlink& netlink, std::string lan,
                           std::filesystem::path resolv_conf)
    : netlink_{netlink}, lan_{std::move(lan)}, resolv_conf_{std::move(resolv_conf)} {}

Uplink UplinkReader::read(const UplinkKeeper& keeper) {
  Uplink uplink;
  if (keeper.is_configured()) {
    uplink.chosen = true;
    uplink.fixed = keeper.is_fixed();
    if (const auto way = keeper.active()) {
      uplink.interface = way->name;
      uplink.kind = way->kind;
      uplink.address = way->address.str();
      if (way->gateway.value != 0) uplink.gateway = way->gateway.str();
    }
    add_others(keeper, uplink);
  } else if (const auto route = netlink_.default_route()) {
    uplink.interface = route->link;
    uplink.kind = kind_of(netlink_, route->link);
    if (route->gateway.value != 0) uplink.gateway = route->gateway.str();
    const auto addresses = netlink_.addresses(route->index);
    if (!addresses.empty()) uplink.address = addresses.front().address.str();
  }
  if (!uplink.interface.empty()) uplink.dns = dns_servers();
  uplink.lan_interface = lan_.empty() ? lan_by_routes() : lan_;
  const auto lan_addresses = addresses_of(uplink.lan_interface);
  if (!lan_addresses.empty()) uplink.lan_address = lan_addresses.front().str();
  return uplink;
}

std::string UplinkReader::lan_by_routes() {
  const auto routes = netlink_.default_routes();
  for (const auto& route : routes)
    if (kind_of(netlink_, route.link) == "lan") return last_lan_ = route.link;
  if (routes.empty()) return "";
  return addresses_of(last_lan_).empty() ? routes.front().link : last_lan_;
}

std::optional<std::string> UplinkReader::lan(const std::string& wanted, std::string& problem) {
  auto name = wanted.empty() ? lan_ : wanted;
  if (name.empty()) {
    if (auto found = lan_by_routes(); !found.empty()) return found;
    problem =
        "there is no default route that would tell the customer's LAN port; name it in "
        "device.toml: [onsite] interface";
    return std::nullopt;
  }
  const auto link = netlink_.find_link(name);
  if (link && link->up) return name;
  problem =
      fmt::format("the customer's LAN port {} {}", name, link ? "is switched off" : "is not there");
  return std::nullopt;
}

std::vector<tunnel::Ipv4Prefix> UplinkReader::addresses_of(const std::string& link) {
  std::vector<tunnel::Ipv4Prefix> found;
  if (link.empty()) return found;
  if (const auto info = netlink_.find_link(link))
    for (const auto& address : netlink_.addresses(info->index))
      found.push_back(address.address);
  return found;
}

std::vector<std::filesystem::path> UplinkReader::files() const {
  return {resolv_conf_, resolved_conf};
}

std::vector<std::string> UplinkReader::dns_servers() const {
  const auto text = read_text(resolv_conf_);
  return parse_resolv_conf(names_only_resolved(text) ? read_text(resolved_conf) : text);
}

}  // namespace device
