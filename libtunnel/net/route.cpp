#include "net/route.hpp"

#include "net/ours.hpp"
#include "net/undo.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace tunnel::net {
namespace {

std::string describe(const Route::Spec& spec) {
  std::string text = spec.type == Route::Type::unreachable ? "route unreachable " : "route ";
  text += spec.destination.length == 0 ? "default" : spec.destination.str();
  if (spec.gateway.value != 0) text += " via " + spec.gateway.str();
  if (!spec.link.empty()) text += " dev " + spec.link;
  text += fmt::format(" table {}", spec.table);
  if (spec.metric != 0) text += fmt::format(" metric {}", spec.metric);
  return text;
}

unsigned char scope_of(const Route::Spec& spec) {
  const bool direct = spec.type == Route::Type::unicast && spec.gateway.value == 0;
  return direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

Message make_request(int type, int flags, int index, const Route::Spec& spec) {
  rtmsg fixed{};
  fixed.rtm_family = AF_INET;
  fixed.rtm_dst_len = spec.destination.length;
  fixed.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says it
  fixed.rtm_protocol = our_protocol;
  fixed.rtm_scope = scope_of(spec);
  fixed.rtm_type = spec.type == Route::Type::unreachable ? RTN_UNREACHABLE : RTN_UNICAST;
  Message request{type, flags, fixed};
  request.put_u32(RTA_TABLE, spec.table);
  if (spec.destination.length != 0) request.put_address(RTA_DST, spec.destination.address);
  if (index != 0) request.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  if (spec.gateway.value != 0) request.put_address(RTA_GATEWAY, spec.gateway);
  if (spec.metric != 0) request.put_u32(RTA_PRIORITY, spec.metric);
  return request;
}

int link_index(Netlink& netlink, const Route::Spec& spec) {
  return spec.link.empty() ? 0 : netlink.index_of(spec.link, "add " + describe(spec));
}

}  // namespace

Route::Route(Netlink& netlink, const Spec& spec)
    : netlink_{netlink}, index_{link_index(netlink, spec)}, spec_{spec} {
  auto request = make_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index_, spec_);
  netlink_.socket().request(request, "add " + describe(spec_));
}

Route::~Route() {
  // ESRCH: the kernel takes routes away with their link or when it is switched off.
  undo(
      netlink_.socket(), [&] { return make_request(RTM_DELROUTE, 0, index_, spec_); },
      [&] { return "delete " + describe(spec_); }, {ESRCH, ENODEV});
}

}  // namespace tunnel::net
