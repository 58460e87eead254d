#include "net/ingress_redirect.hpp"

#include "net/net_error.hpp"
#include "net/undo.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/ether.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <new>
#include <vector>

namespace tunnel::net {
namespace {

constexpr std::uint32_t priority = 1;

Message qdisc(int type, int flags, int link_index) {
  tcmsg fixed{};
  fixed.tcm_family = AF_UNSPEC;
  fixed.tcm_ifindex = link_index;
  fixed.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  fixed.tcm_parent = TC_H_CLSACT;
  Message request{type, flags, fixed};
  request.put_text(TCA_KIND, "clsact");
  return request;
}

/// Calls `fill` for what is nested in an attribute.
void nest(Message& message, int attribute, const std::function<void()>& fill) {
  auto* start = nla_nest_start(message.get(), attribute);
  if (start == nullptr) throw std::bad_alloc{};
  fill();
  nla_nest_end(message.get(), start);
}

/// A tc_u32_sel with two keys on the destination address of a frame: u32 counts from the network
/// header, in words of four bytes.
std::vector<std::byte> to_address(const std::string& mac) {
  ether_addr address{};
  if (::ether_aton_r(mac.c_str(), &address) == nullptr)
    throw NetError{EINVAL, "redirect frames to " + mac};
  const auto* bytes = address.ether_addr_octet;
  std::array<tc_u32_key, 2> keys{};
  keys[0].off = -ETH_HLEN - 2;
  keys[0].mask = htonl(0xffff);
  keys[0].val = htonl(static_cast<std::uint32_t>(bytes[0] << 8U | bytes[1]));
  keys[1].off = -ETH_HLEN + 2;
  keys[1].mask = 0xffffffff;
  std::memcpy(&keys[1].val, bytes + 2, sizeof keys[1].val);
  tc_u32_sel head{};
  head.flags = TC_U32_TERMINAL;
  head.nkeys = static_cast<unsigned char>(keys.size());
  std::vector<std::byte> selector(sizeof head + sizeof keys);
  std::memcpy(selector.data(), &head, sizeof head);
  std::memcpy(selector.data() + sizeof head, keys.data(), sizeof keys);
  return selector;
}

Message filter(const LinkInfo& from, const LinkInfo& to) {
  tcmsg fixed{};
  fixed.tcm_family = AF_UNSPEC;
  fixed.tcm_ifindex = from.index;
  fixed.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
  fixed.tcm_info = TC_H_MAKE(priority << 16U, htons(ETH_P_ALL));
  const auto selector = to_address(to.mac);
  tc_mirred action{};
  action.action = TC_ACT_STOLEN;
  action.eaction = TCA_INGRESS_REDIR;
  action.ifindex = static_cast<std::uint32_t>(to.index);
  Message request{RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, fixed};
  request.put_text(TCA_KIND, "u32");
  nest(request, TCA_OPTIONS, [&] {
    request.put_bytes(TCA_U32_SEL, selector.data(), selector.size());
    nest(request, TCA_U32_ACT, [&] {
      nest(request, 1, [&] {
        request.put_text(TCA_ACT_KIND, "mirred");
        nest(request, TCA_ACT_OPTIONS,
             [&] { request.put_bytes(TCA_MIRRED_PARMS, &action, sizeof action); });
      });
    });
  });
  return request;
}

}  // namespace

IngressRedirect::IngressRedirect(Netlink& netlink, const LinkInfo& from, const LinkInfo& to)
    : netlink_{netlink}, from_{from} {
  auto old = qdisc(RTM_DELQDISC, 0, from.index);
  (void)netlink.socket().transact(old);  // mostly there is none
  auto fresh = qdisc(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, from.index);
  netlink.socket().request(fresh, fmt::format("redirect frames of {}", from.name));
  try {
    auto rule = filter(from, to);
    netlink.socket().request(rule, fmt::format("redirect frames of {} to {}", from.name, to.name));
  } catch (...) {
    auto undone = qdisc(RTM_DELQDISC, 0, from.index);
    (void)netlink.socket().transact(undone);
    throw;
  }
}

IngressRedirect::~IngressRedirect() {
  undo(
      netlink_.socket(), [&] { return qdisc(RTM_DELQDISC, 0, from_.index); },
      [&] { return "take back the redirection of " + from_.name; }, {ENODEV, ENOENT, EINVAL});
}

}  // namespace tunnel::net
