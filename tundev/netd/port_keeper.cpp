#include "netd/port_keeper.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"
#include "net/ours.hpp"
#include "netd/sysfs.hpp"

#include <net/if_arp.h>

#include <algorithm>
#include <system_error>

namespace device {

namespace log = tunnel::log;

namespace {

bool is_link_local(tunnel::Ipv4Address address) {
  return address.value >> 16U == 0xa9fe;
}

/// Of `[uplink]`, what names one interface; a glob or a kind may mean the laptop's port as well.
std::vector<std::string> named_uplinks(const Config::Uplink& config) {
  std::vector<std::string> names = config.devices;
  names.push_back(config.device);
  std::erase_if(names, [](const auto& name) { return name.find_first_of("*?[") != name.npos; });
  return names;
}

}  // namespace

PortKeeper::PortKeeper(tunnel::io::asio::io_context& io, net::Netlink& netlink, Guard& guard,
                       const Config& config, std::string hostname, Events events)
    : io_{io},
      netlink_{netlink},
      guard_{guard},
      policy_{{.match = config.master.match,
               .exclude = config.master.exclude,
               .uplinks = named_uplinks(config.uplink)}},
      address_{*tunnel::Ipv4Prefix::parse(config.master.address)},
      runtime_dir_{config.runtime_dir},
      hostname_{std::move(hostname)},
      events_{std::move(events)},
      retry_{io},
      carrier_timer_{io},
      alive_{std::make_shared<bool>(true)} {}

PortKeeper::~PortKeeper() {
  *alive_ = false;
  leaving_ = true;
  if (active_) events_.undo();
  forget_carrier_drop();
  active_.reset();
}

void PortKeeper::look() {
  const auto links = read_facts();
  switch_on(links);
  const auto choice =
      policy_.choose(links, active_ ? std::optional{active_->port.index} : std::nullopt);
  name_others(choice);
  const auto chosen = std::find_if(links.begin(), links.end(), [&](const LinkFacts& link) {
    return choice.index == link.index;
  });
  const bool same = active_ && chosen != links.end() && chosen->index == active_->port.index &&
                    chosen->name == active_->port.name && !dropped_;
  if (same) return;
  if (active_) lose(links);
  trouble_.clear();
  if (chosen == links.end()) return;
  if (const auto link = netlink_.find_link(chosen->name)) set_up(*link);
}

std::vector<PortReport> PortKeeper::report() {
  const auto trouble = active_ && !active_->ready ? "its DHCP and DNS are not ready yet" : trouble_;
  return policy_.report(read_facts(), active_ ? std::optional{active_->port.index} : std::nullopt,
                        trouble);
}

std::vector<LinkFacts> PortKeeper::read_facts() {
  const auto uplink = netlink_.default_route();
  const auto addresses = netlink_.addresses();
  std::vector<LinkFacts> facts;
  for (const auto& link : netlink_.links()) {
    const bool addressed =
        std::any_of(addresses.begin(), addresses.end(), [&](const net::AddressInfo& address) {
          return address.index == link.index && address.protocol != net::our_protocol &&
                 !is_link_local(address.address.address);
        });
    const auto place = place_of(link.name);
    facts.push_back({.index = link.index,
                     .name = link.name,
                     .kind = link.kind,
                     .ethernet = link.hardware == ARPHRD_ETHER,
                     .wireless = is_wireless(link.name),
                     .usb = place.usb,
                     .on_board = place.on_board,
                     .enslaved = link.master_index != 0,
                     .carrier = link.carrier || carrier_drop_.excuses(link.index),
                     .default_route = uplink && uplink->index == link.index,
                     .addressed = addressed});
  }
  return facts;
}

/// A link that is down does not say whether a cable is in it.
void PortKeeper::switch_on(const std::vector<LinkFacts>& links) {
  for (const auto& link : links) {
    const bool ours = active_ && active_->port.index == link.index;
    const bool candidate = ours || policy_.why_not(link).empty();
    const auto known = switched_on_.find(link.index);
    if (known != switched_on_.end() && !candidate) known->second->keep();
    if (known != switched_on_.end() || !candidate) continue;
    try {
      switched_on_.emplace(link.index,
                           std::make_unique<net::Link>(netlink_, net::Link::Spec{link.name}));
    } catch (const net::NetError& error) {
      log::warn("cannot switch on an interface", {log::link(link.name), log::reason(error.what())});
    }
  }
  std::erase_if(switched_on_, [&](const auto& entry) {
    return std::none_of(links.begin(), links.end(),
                        [&](const LinkFacts& link) { return link.index == entry.first; });
  });
}

void PortKeeper::name_others(const ExtremityPolicy::Choice& choice) {
  for (const auto& name : choice.spares)
    if (std::ranges::find(named_.spares, name) == named_.spares.end())
      log::warn("another adapter could be the laptop's port; it takes over when the first one goes",
                {log::link(name)});
  for (const auto& name : choice.doubtful)
    if (std::ranges::find(named_.doubtful, name) == named_.doubtful.end())
      log::warn("the laptop's port or the uplink: not taken until a default route tells which",
                {log::link(name)});
  named_ = choice;
}

void PortKeeper::lose(const std::vector<LinkFacts>& links) {
  const auto now = std::find_if(links.begin(), links.end(), [&](const LinkFacts& link) {
    return link.index == active_->port.index && link.name == active_->port.name;
  });
  const std::string reason = now == links.end()          ? "unplugged"
                             : dropped_ || !now->carrier ? "carrier lost"
                                                         : "taken";
  log::info("the laptop's port is gone", {log::link(active_->port.name), log::reason(reason)});
  events_.gone(active_->port, reason);
  dropped_ = false;
  leaving_ = true;
  events_.undo();
  forget_carrier_drop();
  active_.reset();
  leaving_ = false;
}

void PortKeeper::set_up(const net::LinkInfo& link) {
  Active fresh{.port = {link.index, link.name, link.mac}, .network = {}, .dnsmasq = {}};
  try {
    fresh.network = std::make_unique<ExtremityNetwork>(netlink_, guard_, link.name, address_,
                                                       sysctl_journal(runtime_dir_));
    if (without_dhcp_ == 0) fresh.dnsmasq = make_dnsmasq(link.name);
  } catch (const std::runtime_error& error) {  // NetError, or what the file system refuses
    log::error("cannot set up the laptop's port; it is tried again",
               {log::link(link.name), log::reason(error.what())});
    trouble_ = error.what();
    return retry_later();
  }
  active_ = std::move(fresh);
  if (!active_->dnsmasq) port_is_ready();
}

std::unique_ptr<Dnsmasq> PortKeeper::make_dnsmasq(const std::string& port) {
  return std::make_unique<Dnsmasq>(io_, Dnsmasq::Spec{port, address_, hostname_, runtime_dir_},
                                   [this] { port_is_ready(); });
}

void PortKeeper::port_is_ready() {
  if (std::exchange(active_->ready, true)) return;  // its DHCP is back after a NoDhcp
  log::info("the laptop's port is ready",
            {log::link(active_->port.name), log::address(address_.str())});
  events_.ready(active_->port);
}

void PortKeeper::serve_again() noexcept try {
  if (active_ && !leaving_) active_->dnsmasq = make_dnsmasq(active_->port.name);
} catch (const std::exception& error) {
  log::error("cannot give DHCP back to the laptop's port; the port is set up anew",
             {log::link(active_->port.name), log::reason(error.what())});
  dropped_ = true;
  retry_later();
}

PortKeeper::NoDhcp::NoDhcp(PortKeeper& keeper) : keeper_{keeper} {
  ++keeper_.without_dhcp_;
  if (keeper_.active_) keeper_.active_->dnsmasq.reset();
}

PortKeeper::NoDhcp::~NoDhcp() {
  if (--keeper_.without_dhcp_ == 0) keeper_.serve_again();
}

void PortKeeper::drop_carrier() {
  if (!active_ || leaving_) return;
  try {
    if (!port_off_) port_off_.emplace(netlink_, active_->port.name, port_off_note(runtime_dir_));
  } catch (const net::NetError& error) {
    log::warn(
        "the laptop is not told that its network is another one; it has to ask for its "
        "address anew",
        {log::link(active_->port.name), log::reason(error.what())});
    return;
  }
  carrier_drop_.begin(active_->port.index, Clock::now());
  wait_for_carrier();
}

void PortKeeper::excuse_carrier(int index) {
  carrier_drop_.excuse(index, Clock::now());
  wait_for_carrier();
}

void PortKeeper::wait_for_carrier() {
  carrier_timer_.expires_at(carrier_drop_.deadline());
  carrier_timer_.async_wait([this, alive = alive_](tunnel::io::error_code ec) {
    if (ec || !*alive) return;
    switch (carrier_drop_.on_deadline(Clock::now())) {
      case CarrierDrop::Action::none: return;
      case CarrierDrop::Action::switch_on: return return_carrier();
      case CarrierDrop::Action::look: return look();
    }
  });
}

void PortKeeper::return_carrier() {
  try {
    port_off_->end();
    port_off_.reset();
    carrier_drop_.on_switched_on(Clock::now());
  } catch (const net::NetError& error) {
    log::warn("cannot switch the laptop's port on again", {log::reason(error.what())});
    if (!carrier_drop_.on_refused(Clock::now())) return give_up_port();
  }
  wait_for_carrier();
}

/// Its carrier counts again: it is gone for us, until somebody switches it on.
void PortKeeper::give_up_port() {
  log::error("the laptop's port stays off; unplug its adapter and plug it in again",
             {log::link(active_->port.name)});
  port_off_.reset();
  look();
}

void PortKeeper::forget_carrier_drop() {
  port_off_.reset();
  carrier_drop_.cancel();
}

void PortKeeper::retry_later() {
  retry_.expires_after(retry_after);
  retry_.async_wait([this, alive = alive_](tunnel::io::error_code ec) {
    if (!ec && *alive) look();
  });
}

}  // namespace device
