#include "net/link_monitor.hpp"

#include "net/net_error.hpp"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

namespace tunnel::net {
namespace {

/// Room for some thousand events; what comes on top becomes a resync.
constexpr int receive_buffer_bytes = 1024 * 1024;

LinkEvent parse_route_event(const nlmsghdr& header) {
  LinkEvent event{.kind = LinkEvent::Kind::route_changed};
  const auto& fixed = *static_cast<const rtmsg*>(nlmsg_data(&header));
  event.default_route = fixed.rtm_dst_len == 0;
  event.table = fixed.rtm_table;
  for_each_attribute(header, sizeof fixed, [&](const nlattr& attribute) {
    if (nla_type(&attribute) == RTA_TABLE) event.table = read_u32(attribute);
  });
  return event;
}

/// A bridge tells of its ports with the same messages (AF_BRIDGE): a port that leaves it is no link
/// removed.
bool is_of_link(const nlmsghdr& header) {
  return nlmsg_valid_hdr(&header, sizeof(ifinfomsg)) != 0 &&
         static_cast<const ifinfomsg*>(nlmsg_data(&header))->ifi_family == AF_UNSPEC;
}

std::optional<LinkEvent> parse_event(const nlmsghdr& header) {
  using Kind = LinkEvent::Kind;
  LinkEvent event;
  switch (header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (!is_of_link(header)) return std::nullopt;
      event.kind = header.nlmsg_type == RTM_NEWLINK ? Kind::link_changed : Kind::link_removed;
      event.link = parse_link(header);
      return event;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      event.kind = header.nlmsg_type == RTM_NEWADDR ? Kind::address_added : Kind::address_removed;
      event.address = parse_address(header);
      return event;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      if (nlmsg_valid_hdr(&header, sizeof(rtmsg)) == 0) return std::nullopt;
      return parse_route_event(header);
    default: return std::nullopt;
  }
}

}  // namespace

LinkMonitor::LinkMonitor() : socket_{nl_socket_alloc()} {
  constexpr auto attempted = "listen to changes of links, addresses and routes";
  if (!socket_) throw NetError{ENOMEM, attempted};
  if (const int err = nl_connect(socket_.get(), NETLINK_ROUTE); err < 0)
    throw NetError{netlink_error(err), attempted};
  const int fd = nl_socket_get_fd(socket_.get());
  const int room = receive_buffer_bytes;
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  nl_socket_enable_msg_peek(socket_.get());
  int err = nl_socket_set_nonblocking(socket_.get());
  if (err == 0)
    err = nl_socket_add_memberships(socket_.get(), RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                    RTNLGRP_IPV4_ROUTE, 0);
  if (err < 0) throw NetError{netlink_error(err), attempted};
}

int LinkMonitor::fd() const noexcept {
  return nl_socket_get_fd(socket_.get());
}

std::vector<LinkEvent> LinkMonitor::read_events() {
  std::vector<LinkEvent> events;
  for (std::size_t i = 0; i < datagrams_max; ++i) {
    sockaddr_nl sender{};
    unsigned char* bytes = nullptr;
    int left = nl_recv(socket_.get(), &sender, &bytes, nullptr);
    const std::unique_ptr<unsigned char, Freed<std::free>> owner{bytes};
    if (left == -NLE_AGAIN || left == 0) break;
    if (left == -NLE_NOMEM) {  // ENOBUFS: the kernel threw events away (netlink(7))
      events.push_back({.kind = LinkEvent::Kind::resync});
      continue;
    }
    if (left < 0)
      throw NetError{netlink_error(left), "read changes of links, addresses and routes"};
    if (sender.nl_pid != 0) continue;  // any process can send us something
    for (auto* at = reinterpret_cast<nlmsghdr*>(bytes); nlmsg_ok(at, left) != 0;
         at = nlmsg_next(at, &left))
      if (auto event = parse_event(*at)) events.push_back(std::move(*event));
  }
  return events;
}

}  // namespace tunnel::net
