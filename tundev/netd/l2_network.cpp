#include "netd/l2_network.hpp"

#include "net/net_error.hpp"
#include "netd/filter_text.hpp"
#include "netd/l2_filter_text.hpp"

#include <cerrno>

namespace device {
namespace {

net::LinkInfo find(net::Netlink& netlink, const std::string& name) {
  const auto link = netlink.find_link(name);
  if (!link) throw net::NetError{ENODEV, "join link " + name + " and the tunnel"};
  return *link;
}

net::TunDevice make_tap(net::Netlink& netlink, tunnel::UniqueFd lent) {
  constexpr auto tap = net::TunDevice::Kind::tap;
  if (lent) return net::TunDevice{netlink, std::move(lent), tap};
  return net::TunDevice{netlink, net::TunDevice::Spec{.kind = tap}};
}

std::string filter(Role role, const net::LinkInfo& port, tunnel::Ipv4Address own,
                   const net::LinkInfo& tap) {
  return role == Role::master ? l2_master_filter(port.name, port.mac, own, tap.name)
                              : l2_onsite_filter(port.name, port.mac, tap.name);
}

}  // namespace

L2Joint::L2Joint(net::Netlink& netlink, Role role, const net::LinkInfo& at, tunnel::Ipv4Address own,
                 const net::LinkInfo& tap)
    : port{at},
      all_frames{at},
      to_host{role == Role::onsite
                  ? std::optional<net::IngressRedirect>{std::in_place, netlink, tap, at}
                  : std::nullopt},
      table{{.family = "netdev", .name = session_table, .body = filter(role, at, own, tap)}} {}

L2Network::L2Network(net::Netlink& netlink, const Spec& wanted, tunnel::UniqueFd lent)
    : spec{wanted},
      tun{make_tap(netlink, std::move(lent))},
      joint{std::in_place, netlink,
            spec.role,     find(netlink, spec.port),
            spec.own,      find(netlink, tun.name())},
      up{netlink, {.name = tun.name()}} {}

void L2Network::adapt(net::Netlink& netlink) {
  const auto port = netlink.find_link(spec.port);
  if (!port) return joint.reset();
  if (joint && joint->port.index == port->index && joint->port.mac == port->mac) return;
  joint.reset();
  joint.emplace(netlink, spec.role, *port, spec.own, find(netlink, tun.name()));
}

}  // namespace device
