#include "netd/orphans.hpp"

#include "base/log.hpp"
#include "net/leftovers.hpp"
#include "net/net_error.hpp"

#include <net/if_arp.h>

#include <algorithm>
#include <utility>

namespace device {

namespace log = tunnel::log;

Orphans::Orphans(net::Netlink& netlink, Guard& guard, const tunnel::Ipv4Prefix& laptop)
    : netlink_{netlink}, links_{net::list_tunnels(netlink)} {
  if (links_.empty()) return;
  // Nobody has told us our role yet: what a master translates, and what an onsite does.
  std::vector<tunnel::Ipv4Prefix> translated{laptop.network()};
  for (const auto& link : links_) {
    log::info("a tunnel of an earlier run waits for its session", {log::link(link.name)});
    for (const auto& found : netlink.addresses(link.index))
      translated.push_back(found.address.network());
  }
  guarded_.emplace(guard, Guarded::What{.sources = std::move(translated)});
}

Orphans::~Orphans() {
  try {
    if (const auto count = net::delete_tunnels(netlink_, links_); count != 0)
      log::warn("removed tunnels of an earlier run that no session claimed", {log::count(count)});
  } catch (const net::NetError& error) {
    log::warn("cannot remove tunnels of an earlier run", {log::reason(error.what())});
  }
}

bool Orphans::has_tap() const {
  return std::ranges::any_of(
      links_, [](const net::LinkInfo& link) { return link.hardware == ARPHRD_ETHER; });
}

void Orphans::release(int index) {
  std::erase_if(links_, [&](const net::LinkInfo& link) { return link.index == index; });
}

}  // namespace device
