#include "net/netlink.hpp"

#include "net/net_error.hpp"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>

namespace tunnel::net {
namespace {

/// IFF_LOWER_UP; <linux/if.h> has it, but cannot be included beside <net/if.h>.
constexpr unsigned lower_up = 1U << 16U;

std::string format_mac(const nlattr& attribute) {
  const auto* bytes = static_cast<const unsigned char*>(nla_data(&attribute));
  std::string text;
  for (int i = 0; i < nla_len(&attribute); ++i)
    text += fmt::format("{}{:02x}", i == 0 ? "" : ":", bytes[i]);
  return text;
}

void read_kind(const nlattr& info, LinkInfo& link) {
  for_each_nested(info, [&](const nlattr& attribute) {
    if (nla_type(&attribute) == IFLA_INFO_KIND) link.kind = read_text(attribute);
  });
}

struct NextHop {
  int index = 0;
  unsigned flags = 0;  ///< RTNH_F_
  Ipv4Address gateway;
};

/// The first of several next hops (RTA_MULTIPATH).
NextHop read_first_hop(const nlattr& multipath) {
  NextHop hop;
  if (nla_len(&multipath) < static_cast<int>(sizeof(rtnexthop))) return hop;
  const auto* first = static_cast<const rtnexthop*>(nla_data(&multipath));
  hop.index = first->rtnh_ifindex;
  hop.flags = first->rtnh_flags;
  int left = std::min<int>(first->rtnh_len, nla_len(&multipath)) - static_cast<int>(sizeof *first);
  auto* at = reinterpret_cast<nlattr*>(RTNH_DATA(const_cast<rtnexthop*>(first)));
  for (; nla_ok(at, left) != 0; at = nla_next(at, &left))
    if (nla_type(at) == RTA_GATEWAY) hop.gateway = read_address(*at);
  return hop;
}

/// Reads one RTM_NEWROUTE; nothing when it is no usable default route of the main table.
std::optional<DefaultRoute> parse_default_route(const nlmsghdr& header) {
  const auto& fixed = *static_cast<const rtmsg*>(nlmsg_data(&header));
  if (fixed.rtm_dst_len != 0 || fixed.rtm_type != RTN_UNICAST) return std::nullopt;
  std::uint32_t table = fixed.rtm_table;
  std::uint32_t metric = 0;
  NextHop hop{.index = 0, .flags = fixed.rtm_flags, .gateway = {}};
  for_each_attribute(header, sizeof fixed, [&](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case RTA_TABLE: table = read_u32(attribute); break;
      case RTA_PRIORITY: metric = read_u32(attribute); break;
      case RTA_OIF: hop.index = static_cast<int>(read_u32(attribute)); break;
      case RTA_GATEWAY: hop.gateway = read_address(attribute); break;
      case RTA_MULTIPATH: hop = read_first_hop(attribute); break;
      default: break;
    }
  });
  const bool dead = (hop.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0;
  if (table != RT_TABLE_MAIN || hop.index == 0 || dead) return std::nullopt;
  return DefaultRoute{.index = hop.index, .link = {}, .gateway = hop.gateway, .metric = metric};
}

}  // namespace

Netlink::Netlink() : socket_{NETLINK_ROUTE} {}

std::vector<LinkInfo> Netlink::links() {
  std::vector<LinkInfo> all;
  Message request{RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}};
  socket_.dump(request, "list links",
               [&](const nlmsghdr& header) { all.push_back(parse_link(header)); });
  return all;
}

std::optional<LinkInfo> Netlink::find_link(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return std::nullopt;
  std::optional<LinkInfo> found;
  Message request{RTM_GETLINK, 0, ifinfomsg{}};
  request.put_text(IFLA_IFNAME, name);
  const auto outcome =
      socket_.transact(request, [&](const nlmsghdr& header) { found = parse_link(header); });
  if (outcome.error && outcome.error.value() != ENODEV)
    throw NetError{outcome.error, fmt::format("look up link {}", name)};
  return found;
}

int Netlink::index_of(const std::string& link, std::string_view attempted) {
  const auto found = find_link(link);
  if (!found) throw NetError{ENODEV, attempted};
  return found->index;
}

std::vector<AddressInfo> Netlink::addresses() {
  std::vector<AddressInfo> all;
  ifaddrmsg fixed{};
  fixed.ifa_family = AF_INET;
  Message request{RTM_GETADDR, NLM_F_DUMP, fixed};
  socket_.dump(request, "list addresses",
               [&](const nlmsghdr& header) { all.push_back(parse_address(header)); });
  return all;
}

std::vector<AddressInfo> Netlink::addresses(int link_index) {
  auto all = addresses();
  std::erase_if(all, [&](const AddressInfo& info) { return info.index != link_index; });
  return all;
}

std::optional<DefaultRoute> Netlink::default_route() {
  const auto all = default_routes();
  return all.empty() ? std::nullopt : std::optional{all.front()};
}

std::vector<DefaultRoute> Netlink::default_routes() {
  std::vector<DefaultRoute> all;
  rtmsg fixed{};
  fixed.rtm_family = AF_INET;
  Message request{RTM_GETROUTE, NLM_F_DUMP, fixed};
  socket_.dump(request, "list routes", [&](const nlmsghdr& header) {
    if (auto route = parse_default_route(header)) all.push_back(std::move(*route));
  });
  std::ranges::stable_sort(all, {}, &DefaultRoute::metric);
  std::vector<DefaultRoute> best;
  if (all.empty()) return best;
  const auto known = links();
  for (auto& route : all) {
    const auto link = std::ranges::find(known, route.index, &LinkInfo::index);
    if (link == known.end()) continue;  // it was unplugged between the two questions
    route.link = link->name;
    if (std::ranges::find(best, route.index, &DefaultRoute::index) == best.end())
      best.push_back(std::move(route));
  }
  return best;
}

LinkInfo parse_link(const nlmsghdr& header) {
  LinkInfo link;
  if (nlmsg_valid_hdr(&header, sizeof(ifinfomsg)) == 0) return link;
  const auto& fixed = *static_cast<const ifinfomsg*>(nlmsg_data(&header));
  link.index = fixed.ifi_index;
  link.hardware = fixed.ifi_type;
  link.up = (fixed.ifi_flags & IFF_UP) != 0;
  link.carrier = link.up && (fixed.ifi_flags & lower_up) != 0;
  for_each_attribute(header, sizeof fixed, [&](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case IFLA_IFNAME: link.name = read_text(attribute); break;
      case IFLA_ADDRESS: link.mac = format_mac(attribute); break;
      case IFLA_MTU: link.mtu_bytes = static_cast<int>(read_u32(attribute)); break;
      case IFLA_MASTER: link.master_index = static_cast<int>(read_u32(attribute)); break;
      case IFLA_IFALIAS: link.alias = read_text(attribute); break;
      case IFLA_PARENT_DEV_BUS_NAME: link.bus = read_text(attribute); break;
      case IFLA_LINKINFO: read_kind(attribute, link); break;
      default: break;
    }
  });
  return link;
}

AddressInfo parse_address(const nlmsghdr& header) {
  AddressInfo info;
  if (nlmsg_valid_hdr(&header, sizeof(ifaddrmsg)) == 0) return info;
  const auto& fixed = *static_cast<const ifaddrmsg*>(nlmsg_data(&header));
  info.index = static_cast<int>(fixed.ifa_index);
  info.address.length = std::min<std::uint8_t>(fixed.ifa_prefixlen, 32);
  bool local = false;
  for_each_attribute(header, sizeof fixed, [&](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case IFA_LOCAL:
        info.address.address = read_address(attribute);
        local = true;
        break;
      case IFA_ADDRESS:
        if (!local) info.address.address = read_address(attribute);
        break;
      case IFA_PROTO: info.protocol = read_u8(attribute); break;
      default: break;
    }
  });
  return info;
}

}  // namespace tunnel::net
