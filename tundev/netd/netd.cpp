#include "netd/netd.hpp"

#include "base/log.hpp"
#include "net/leftovers.hpp"
#include "net/link_off.hpp"
#include "net/net_error.hpp"
#include "netd/l2_port.hpp"
#include "netd/sysfs.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

namespace device {

namespace log = tunnel::log;
using tunnel::io::error_code;

namespace {

std::string host_name() {
  std::array<char, 65> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

void sweep(net::Netlink& netlink, const std::string& journal, const Orphans& orphans) {
  const auto found = net::sweep_leftovers(netlink, journal, orphans.links());
  if (found.any())
    log::warn("removed what an earlier run had left in the kernel",
              {log::count(found.links + found.sysctls + found.rules + found.routes +
                          found.addresses + (found.local_rule ? 1 : 0))});
}

/// A port that stays off is no reason for a device to have no netd.
std::optional<int> return_port(net::Netlink& netlink, const std::string& note) try {
  return net::return_link(netlink, note);
} catch (const net::NetError& error) {
  log::error("the laptop's port is off since an earlier run and stays so",
             {log::reason(error.what())});
  return std::nullopt;
}

tunnel::Ipv4Prefix laptop_network(const Config& config) {
  return tunnel::Ipv4Prefix::parse(config.master.address)->network();
}

}  // namespace

Netd::Netd(tunnel::io::asio::io_context& io, const Config& config, Events events)
    : io_{io},
      config_{config},
      events_{std::move(events)},
      uplinks_{netlink_, config.uplink},
      uplink_reader_{netlink_, config.onsite.interface, config.resolv_conf},
      kernel_events_{io, ::fcntl(monitor_.fd(), F_DUPFD_CLOEXEC, 3)},
      resolv_conf_{io, uplink_reader_.files(), [this] { uplink_may_have_changed(); }},
      uplink_timer_{io},
      orphans_timer_{io},
      kept_timer_{io},
      alive_{std::make_shared<bool>(true)} {
  std::filesystem::create_directories(config_.runtime_dir);
  // Before the sweep: what it removes may have been all that was in the way.
  orphans_ = std::make_unique<Orphans>(netlink_, guard_, laptop_network(config_));
  guard_.apply();
  sweep(netlink_, sysctl_journal(config_.runtime_dir), *orphans_);
  port_was_off_ = return_port(netlink_, port_off_note(config_.runtime_dir));
  if (orphans_->empty()) orphans_.reset();
  orphans_timer_.expires_after(orphans_adopted_within);
  orphans_timer_.async_wait([this, alive = alive_](error_code ec) {
    if (!ec && *alive) drop_orphans();
  });
  uplinks_.look(Clock::now());
  reported_ = uplink();
  watch_kernel();
}

Netd::~Netd() {
  *alive_ = false;
  end_session("tundev-netd stops");
  orphans_.reset();
  no_dhcp_.reset();
  port_.reset();
  try {
    guard_.remove();
  } catch (const net::NetError& error) {
    log::warn("cannot remove the guard table", {log::reason(error.what())});
  }
}

void Netd::set_role(const std::string& word) {
  const auto role = word == "master" ? Role::master : word == "onsite" ? Role::onsite : Role::none;
  if (word != to_text(role))
    throw RequestError{"InvalidArgument", "a role is \"master\", \"onsite\" or \"\""};
  if (role == role_) return;
  end_session("the device has another role");
  no_dhcp_.reset();
  port_.reset();
  role_ = role;
  log::info("the device has its role", {log::code(to_text(role))});
  if (role != Role::master) return;
  port_ = std::make_unique<PortKeeper>(
      io_, netlink_, guard_, config_, host_name(),
      PortKeeper::Events{.ready = events_.port_ready, .gone = events_.port_gone, .undo = [this] {
                           end_session("the laptop's port is gone");
                         }});
  if (const auto index = std::exchange(port_was_off_, std::nullopt)) port_->excuse_carrier(*index);
  if (orphans_ && orphans_->has_tap()) no_dhcp_ = std::make_unique<PortKeeper::NoDhcp>(*port_);
  port_->look();
  if (orphans_ && port_->port() != nullptr) port_->network().no_way.hush();
}

Netd::Interface Netd::interface() const {
  if (!port_ || !port_->ready()) return {};
  return {port_->port()->name, port_->port()->mac, port_->address().str(), true};
}

std::string Netd::trouble() noexcept try {
  (void)netlink_.default_route();
  return {};
} catch (const std::exception& error) {
  return error.what();
}

std::string Netd::status() const {
  auto text = role_ == Role::none ? std::string{"no role yet"} : std::string{to_text(role_)};
  if (role_ == Role::master)
    text += !port_->port()    ? ", no laptop"
            : !port_->ready() ? fmt::format(", DHCP on {} is not ready", port_->port()->name)
                              : fmt::format(", laptop on {}", port_->port()->name);
  if (session_) text += fmt::format(", session {}", tunnel::format_session_id(session_->id));
  return text;
}

SessionSetup Netd::checked(const SessionRequest& request) const {
  SessionSetup setup;
  std::string problem;
  if (!check_session(request, setup, problem)) throw RequestError{"InvalidArgument", problem};
  if (setup.role != role_)
    throw RequestError{
        "WrongRole",
        fmt::format(
            "a session as {} was asked for, this device {}", to_text(setup.role),
            role_ == Role::none ? "has no role yet" : fmt::format("is {}", to_text(role_)))};
  return setup;
}

Netd::Opened Netd::open_session(std::uint64_t id, const SessionRequest& request,
                                const std::string& owner) {
  const auto setup = checked(request);
  if (is_kept()) end_session("another one is opened");
  if (session_)
    throw RequestError{"Busy", fmt::format("session {} is open here already",
                                           tunnel::format_session_id(session_->id))};
  if (role_ == Role::master && !port_->ready())
    throw RequestError{"NoInterface",
                       "there is no laptop: connect it to this device's USB-Ethernet adapter"};
  drop_orphans();
  const auto& tun = begin_session(id, setup, owner, {});
  log::info("session set up", {log::session(id), log::link(tun.name())});
  return {tun.fd(), tun.name()};
}

std::string Netd::adopt_session(std::uint64_t id, const SessionRequest& request,
                                const std::string& owner, tunnel::UniqueFd tun) {
  const auto setup = checked(request);
  if (is_kept() && session_->id == id && session_->setup == setup) {
    session_->owner = owner;
    kept_timer_.cancel();
    log::info("another tundev-agent goes on with a session", {log::session(id)});
    return tun_of(*session_).name();
  }
  if (session_) throw RequestError{"Busy", "there is a session here, which is another one"};
  if (role_ == Role::master && port_->port() == nullptr)
    throw RequestError{"NoInterface", "the laptop was unplugged meanwhile"};
  const auto& taken = begin_session(id, setup, owner, std::move(tun));
  if (orphans_) orphans_->release(taken.index());
  orphans_.reset();
  no_dhcp_.reset();
  log::info("session of an earlier run taken over", {log::session(id), log::link(taken.name())});
  return taken.name();
}

const net::TunDevice& Netd::begin_session(std::uint64_t id, const SessionSetup& setup,
                                          const std::string& owner, tunnel::UniqueFd lent) {
  Session session{.id = id, .setup = setup, .owner = owner, .network = {}};
  if (setup.mode == Mode::l2) {
    const bool is_fresh = !lent;
    guard_.apply();  // an administrator's `nft flush ruleset` removes it
    session.network = make_l2(setup, std::move(lent));
    if (role_ == Role::master) {
      session.no_dhcp = std::make_unique<PortKeeper::NoDhcp>(*port_);
      port_->network().no_way.shut();       // an adopted session found it hushed
      if (is_fresh) port_->drop_carrier();  // of one that was taken over the laptop has its address
    }
  } else if (role_ == Role::master) {
    session.network = make_master(setup, std::move(lent));
    if (auto* dns = port_->dns()) dns->ask(setup.dns, tun_of(session).name());
  } else {
    session.network = make_onsite(setup, std::move(lent));
  }
  session_ = std::move(session);
  return tun_of(*session_);
}

void Netd::close_session(std::uint64_t id) {
  if (session_ && session_->id == id) end_session("closed by tundev-agent");
}

void Netd::owner_gone(const std::string& owner) {
  if (!session_ || session_->owner != owner) return;
  if (session_->note.empty()) return end_session("tundev-agent has left the bus");
  log::warn("tundev-agent has left the bus; its session is kept for the next one",
            {log::session(session_->id)});
  session_->owner.clear();
  kept_timer_.expires_after(agent_back_within);
  kept_timer_.async_wait([this, alive = alive_](error_code ec) {
    if (!ec && *alive && is_kept()) end_session("tundev-agent did not come back");
  });
}

void Netd::leave_note(std::uint64_t id, std::vector<std::uint8_t> note) {
  if (note.size() > note_bytes_max)
    throw RequestError{"InvalidArgument",
                       fmt::format("a note has at most {} bytes", note_bytes_max)};
  if (!session_ || session_->id != id) throw RequestError{"NotFound", "there is no such session"};
  session_->note = std::move(note);
}

Netd::Kept Netd::kept_session() const {
  if (!is_kept()) throw RequestError{"NotFound", "no session is kept here"};
  const auto& tun = tun_of(*session_);
  return {session_->id, {tun.fd(), tun.name()}, session_->note};
}

std::unique_ptr<MasterNetwork> Netd::make_master(const SessionSetup& setup, tunnel::UniqueFd lent) {
  return std::make_unique<MasterNetwork>(netlink_, guard_, setup, port_->port()->name,
                                         port_->address(), port_->network(), std::move(lent));
}

std::unique_ptr<OnsiteNetwork> Netd::make_onsite(const SessionSetup& setup, tunnel::UniqueFd lent) {
  const auto lan = lan_of(setup);
  std::vector<tunnel::Ipv4Address> own;
  for (const auto& address : uplink_reader_.addresses_of(lan))
    own.push_back(address.address);
  return std::make_unique<OnsiteNetwork>(netlink_, guard_, setup, lan, own,
                                         sysctl_journal(config_.runtime_dir), std::move(lent));
}

std::unique_ptr<L2Network> Netd::make_l2(const SessionSetup& setup, tunnel::UniqueFd lent) {
  L2Network::Spec spec{.role = setup.role, .port = {}, .own = {}};
  if (setup.role == Role::master) {
    spec.port = port_->port()->name;
    spec.own = port_->address().address;
  } else {
    spec.port = lan_of(setup);
  }
  // A session that is taken over outlives a cable that is not in.
  check_l2_port(spec.port, !lent && !(port_ && port_->carrier_is_excused()));
  return std::make_unique<L2Network>(netlink_, spec, std::move(lent));
}

void Netd::check_l2_port(const std::string& name, bool needs_carrier) {
  const auto link = netlink_.find_link(name);
  if (!link) throw RequestError{"NoInterface", fmt::format("the port {} is not there", name)};
  const auto problem = why_not_l2(
      {.name = name,
       .kind = link->kind,
       .uplink_kind = uplink_kind(name, link->hardware, is_wireless(name), devtype(name)),
       .ethernet = link->hardware == ARPHRD_ETHER,
       .enslaved = link->master_index != 0,
       .carrier = link->carrier || !needs_carrier});
  if (!problem.empty()) throw RequestError{"NotBridgeable", problem};
}

std::string Netd::lan_of(const SessionSetup& setup) {
  std::string problem;
  auto lan = uplink_reader_.lan(setup.interface, problem);
  if (!lan) throw RequestError{"NoInterface", problem};
  return *lan;
}

/// Nobody has claimed them.
void Netd::drop_orphans() {
  if (!orphans_) return;
  orphans_.reset();
  const bool was_l2 = std::exchange(no_dhcp_, nullptr) != nullptr;
  if (!port_ || port_->port() == nullptr || session_) return;
  port_->network().no_way.shut();
  if (was_l2) port_->drop_carrier();
}

const net::TunDevice& Netd::tun_of(const Session& session) {
  if (const auto* l2 = std::get_if<std::unique_ptr<L2Network>>(&session.network)) return (*l2)->tun;
  if (const auto* master = std::get_if<std::unique_ptr<MasterNetwork>>(&session.network))
    return (*master)->tunnel.tun;
  return std::get<std::unique_ptr<OnsiteNetwork>>(session.network)->tunnel.tun;
}

void Netd::end_session(const std::string& reason) {
  if (!session_) return;
  const auto id = session_->id;
  if (port_ && port_->dns() != nullptr) try {
      port_->dns()->ask({}, "");
    } catch (const std::system_error& error) {
      log::error("cannot take the customer's DNS servers back", {log::reason(error.what())});
    }
  const bool was_l2 = session_->setup.mode == Mode::l2;
  session_.reset();
  if (was_l2 && port_) port_->drop_carrier();
  log::info("session undone", {log::session(id), log::reason(reason)});
}

void Netd::watch_kernel() {
  kernel_events_.async_wait(kernel_events_.wait_read, [this, alive = alive_](error_code ec) {
    if (ec || !*alive) return;
    on_kernel_events();
    watch_kernel();
  });
}

void Netd::on_kernel_events() {
  for (const auto& event : monitor_.read_events())
    if (port_ && event.kind == net::LinkEvent::Kind::link_changed && !event.link.carrier)
      port_->dropped(event.link.index);
  if (port_) port_->look();
  uplink_may_have_changed();
}

void Netd::uplink_may_have_changed() {
  if (std::exchange(uplink_pending_, true)) return;
  uplink_timer_.expires_after(uplink_settles);
  uplink_timer_.async_wait([this, alive = alive_](error_code ec) {
    if (!*alive) return;
    uplink_pending_ = false;
    if (!ec) look_at_uplinks();
  });
}

void Netd::look_at_uplinks() {
  adapt_session();
  try {
    uplinks_.look(Clock::now());
  } catch (const net::NetError& error) {
    log::error("cannot route the server's addresses by the uplink", {log::reason(error.what())});
  }
  tell_uplink();
}

void Netd::fix_uplink(const std::string& interface) {
  std::vector<std::string> names;
  for (const auto& link : netlink_.links())
    if (link.hardware != ARPHRD_LOOPBACK) names.push_back(link.name);
  if (!interface.empty() && std::ranges::find(names, interface) == names.end())
    throw RequestError{"NotFound",
                       fmt::format("there is no interface {}; there are: {}",
                                   interface.substr(0, IFNAMSIZ), fmt::join(names, ", "))};
  log::info(interface.empty() ? "the uplink is as configured" : "the uplink is fixed",
            {log::link(interface)});
  uplinks_.fix(interface, Clock::now());
  tell_uplink();
}

void Netd::set_servers(const std::vector<std::string>& texts) {
  if (texts.size() > server_addresses_max)
    throw RequestError{"InvalidArgument",
                       fmt::format("at most {} addresses of the server", server_addresses_max)};
  std::vector<tunnel::Ipv4Address> servers;
  for (const auto& text : texts) {
    const auto server = tunnel::Ipv4Address::parse(text);
    const auto first = server ? server->value >> 24U : 0;
    if (first == 0 || first == 127 || first >= 224)
      throw RequestError{"InvalidArgument", "not an address of a server"};
    servers.push_back(*server);
  }
  uplinks_.set_servers(std::move(servers), Clock::now());
}

void Netd::report_uplink(const std::string& interface, bool answers) {
  uplinks_.on_report(interface, answers, Clock::now());
  tell_uplink();
}

void Netd::tell_uplink() {
  auto now = uplink();
  if (now == reported_) return;
  reported_ = std::move(now);
  log::info("the uplink changed",
            {log::link(reported_.interface), log::address(reported_.address)});
  events_.uplink_changed();
}

void Netd::adapt_session() {
  if (!session_) return;
  try {
    if (auto* l2 = std::get_if<std::unique_ptr<L2Network>>(&session_->network))
      (*l2)->adapt(netlink_);
    else if (auto* onsite = std::get_if<std::unique_ptr<OnsiteNetwork>>(&session_->network))
      adapt(**onsite);
  } catch (const net::NetError& error) {
    log::error("cannot adapt the session to its port", {log::reason(error.what())});
  }
}

void Netd::adapt(OnsiteNetwork& network) {
  std::vector<tunnel::Ipv4Address> own;
  for (const auto& address : uplink_reader_.addresses_of(network.lan))
    own.push_back(address.address);
  network.adapt(netlink_, own);
}

}  // namespace device
