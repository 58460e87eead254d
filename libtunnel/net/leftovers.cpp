#include "net/leftovers.hpp"

#include "net/local_rule.hpp"
#include "net/net_error.hpp"
#include "net/ours.hpp"
#include "net/rule_message.hpp"
#include "net/sysctl.hpp"
#include "net/tun_device.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <initializer_list>
#include <vector>

namespace tunnel::net {
namespace {

/// Goes on after a step that fails and throws the first failure at the end.
class Steps {
 public:
  void run(const std::function<void()>& step) try { step(); } catch (const NetError&) {
    if (!first_) first_ = std::current_exception();
  }
  void finish() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::exception_ptr first_;
};

/// An entry of a table as a request to delete it, with those of its attributes that name it.
template <class Fixed>
Message deletion(int type, const nlmsghdr& entry, std::initializer_list<int> naming) {
  Message request{type, 0, *static_cast<const Fixed*>(nlmsg_data(&entry))};
  for_each_attribute(entry, sizeof(Fixed), [&](const nlattr& attribute) {
    if (std::find(naming.begin(), naming.end(), nla_type(&attribute)) == naming.end()) return;
    request.put_bytes(nla_type(&attribute), nla_data(&attribute),
                      static_cast<std::size_t>(nla_len(&attribute)));
  });
  return request;
}

/// @return how many were deleted; one that has gone by itself meanwhile is none
std::size_t delete_each(Netlink& netlink, std::vector<Message>& requests,
                        std::string_view attempted) {
  std::size_t count = 0;
  for (auto& request : requests) {
    const auto outcome = netlink.socket().transact(request);
    const int why = outcome.error.value();
    if (!outcome.error)
      ++count;
    else if (why != ENOENT && why != ESRCH && why != ENODEV && why != EADDRNOTAVAIL)
      throw NetError{outcome.error, attempted};
  }
  return count;
}

bool is_one_of(int index, std::span<const LinkInfo> links) {
  return std::any_of(links.begin(), links.end(), [&](const auto& l) { return l.index == index; });
}

std::size_t sweep_links(Netlink& netlink, std::span<const LinkInfo> spared) {
  auto tunnels = list_tunnels(netlink);
  std::erase_if(tunnels, [&](const LinkInfo& link) { return is_one_of(link.index, spared); });
  return delete_tunnels(netlink, tunnels);
}

std::size_t sweep_rules(Netlink& netlink) {
  std::vector<Message> requests;
  for (const auto& rule : list_rules(netlink))
    if (rule.plain && rule.protocol == our_protocol)
      requests.push_back(make_rule_request(RTM_DELRULE, 0, rule));
  return delete_each(netlink, requests, "delete a left-over rule");
}

std::size_t sweep_routes(Netlink& netlink) {
  std::vector<Message> requests;
  rtmsg fixed{};
  fixed.rtm_family = AF_INET;
  Message list{RTM_GETROUTE, NLM_F_DUMP, fixed};
  netlink.socket().dump(list, "list routes", [&](const nlmsghdr& entry) {
    if (static_cast<const rtmsg*>(nlmsg_data(&entry))->rtm_protocol != our_protocol) return;
    requests.push_back(deletion<rtmsg>(RTM_DELROUTE, entry,
                                       {RTA_TABLE, RTA_DST, RTA_PRIORITY, RTA_OIF, RTA_GATEWAY}));
  });
  return delete_each(netlink, requests, "delete a left-over route");
}

std::size_t sweep_addresses(Netlink& netlink, std::span<const LinkInfo> spared) {
  std::vector<Message> requests;
  ifaddrmsg fixed{};
  fixed.ifa_family = AF_INET;
  Message list{RTM_GETADDR, NLM_F_DUMP, fixed};
  netlink.socket().dump(list, "list addresses", [&](const nlmsghdr& entry) {
    const auto address = parse_address(entry);
    if (address.protocol != our_protocol || is_one_of(address.index, spared)) return;
    requests.push_back(deletion<ifaddrmsg>(RTM_DELADDR, entry, {IFA_LOCAL, IFA_ADDRESS}));
  });
  return delete_each(netlink, requests, "delete a left-over address");
}

}  // namespace

std::vector<LinkInfo> list_tunnels(Netlink& netlink) {
  auto links = netlink.links();
  std::erase_if(links, [](const LinkInfo& link) { return !is_our_tunnel(link); });
  return links;
}

std::size_t delete_tunnels(Netlink& netlink, std::span<const LinkInfo> tunnels) {
  std::vector<Message> requests;
  for (const auto& link : tunnels) {
    ifinfomsg fixed{};
    fixed.ifi_index = link.index;
    requests.emplace_back(RTM_DELLINK, 0, fixed);
  }
  return delete_each(netlink, requests, "delete a left-over TUN device");
}

Leftovers sweep_leftovers(Netlink& netlink, const std::string& sysctl_journal,
                          std::span<const LinkInfo> spared) {
  Leftovers found;
  Steps steps;
  // The machine's own reachability first, then what carries traffic, last what keeps the laptop's
  // packets from leaking.
  steps.run([&] { found.local_rule = restore_local_rule(netlink); });
  steps.run([&] { found.links = sweep_links(netlink, spared); });
  steps.run([&] {
    if (!sysctl_journal.empty()) found.sysctls = restore_sysctls(sysctl_journal);
  });
  steps.run([&] { found.addresses = sweep_addresses(netlink, spared); });
  steps.run([&] { found.rules = sweep_rules(netlink); });
  steps.run([&] { found.routes = sweep_routes(netlink); });
  steps.finish();
  return found;
}

}  // namespace tunnel::net
