#include "netd/session_network.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"
#include "netd/extremity.hpp"
#include "netd/filter_text.hpp"

#include <algorithm>

namespace device {
namespace {

std::string conf(const std::string& link, const char* key) {
  return "ipv4/conf/" + link + '/' + key;
}

std::vector<std::string> unless_forwarding(const std::string& link) {
  if (net::read_sysctl(conf(link, "forwarding")) == "1") return {};
  return {link};
}

}  // namespace

FreshConntrack::~FreshConntrack() {
  try {
    flush();
  } catch (const net::NetError& error) {
    tunnel::log::warn("cannot forget connections", {tunnel::log::reason(error.what())});
  }
}

TunnelLink::TunnelLink(net::Netlink& netlink, const tunnel::Ipv4Prefix& ours, bool accept_local,
                       tunnel::UniqueFd lent)
    : is_fresh{!lent},
      tun{is_fresh ? net::TunDevice{netlink} : net::TunDevice{netlink, std::move(lent)}},
      // 2, not 0: the stricter of this and conf.all holds, and 2 is above an administrator's 1.
      loose{{.key = conf(tun.name(), "rp_filter"), .value = "2"}},
      forwarding{{.key = conf(tun.name(), "forwarding"), .value = "1"}},
      address{netlink, {.link = tun.name(), .address = ours, .may_be_there = !is_fresh}},
      up{netlink, {.name = tun.name()}} {
  if (accept_local)
    local_sources.emplace(net::Sysctl::Spec{.key = conf(tun.name(), "accept_local"), .value = "1"});
  if (netlink.addresses(tun.index()).size() != 1)
    throw net::NetError{EADDRINUSE, "take over " + tun.name() + " with " + ours.str()};
}

MasterNetwork::MasterNetwork(net::Netlink& netlink, Guard& guard, const SessionSetup& setup,
                             const std::string& port, const tunnel::Ipv4Prefix& laptop,
                             ExtremityNetwork& extremity, tunnel::UniqueFd lent)
    : guarded{guard, {.sources = {laptop.network()}}},
      tunnel{netlink, setup.master_end(), true, std::move(lent)},
      filter{{.name = session_table, .body = master_filter(port, laptop, tunnel.tun.name())}},
      connections{laptop.network()},
      into_tunnel{netlink, {.table = laptop_table, .link = tunnel.tun.name()}},
      way{extremity.no_way} {
  if (tunnel.is_fresh) connections.flush();
}

OnsiteNetwork::OnsiteNetwork(net::Netlink& netlink, Guard& guard, const SessionSetup& session,
                             const std::string& lan_name,
                             const std::vector<tunnel::Ipv4Address>& addresses,
                             const std::string& sysctls, tunnel::UniqueFd lent)
    : setup{session},
      lan{lan_name},
      own{addresses},
      journal{sysctls},
      lan_index{netlink.index_of(lan, "forward to " + lan)},
      guarded{guard, {.ports = unless_forwarding(lan), .sources = {setup.tunnel}}},
      tunnel{netlink, setup.onsite_end(), false, std::move(lent)},
      lan_forwarding{
          std::in_place,
          net::Sysctl::Spec{.key = conf(lan, "forwarding"), .value = "1", .journal = journal}},
      connections{{setup.master_end().address, 32}},
      filter{{.name = session_table, .body = onsite_filter(setup, lan, own, tunnel.tun.name())}} {
  if (tunnel.is_fresh) connections.flush();
}

void OnsiteNetwork::adapt(net::Netlink& netlink,
                          const std::vector<tunnel::Ipv4Address>& addresses) {
  if (addresses != own) {
    filter.replace(onsite_filter(setup, lan, addresses, tunnel.tun.name()));
    own = addresses;
  }
  const auto link = netlink.find_link(lan);
  if (!link || link->index == lan_index) return;
  lan_forwarding.reset();
  lan_forwarding.emplace(
      net::Sysctl::Spec{.key = conf(lan, "forwarding"), .value = "1", .journal = journal});
  lan_index = link->index;
}

}  // namespace device
