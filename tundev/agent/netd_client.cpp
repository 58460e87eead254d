#include "agent/netd_client.hpp"

#include <fcntl.h>
#include <utility>

namespace device {
namespace {

using namespace std::chrono_literals;
using tunnel::Ipv4Address;
using tunnel::Ipv4Prefix;
namespace wire = tunnel::wire;

using Facts = std::map<std::string, sdbus::Variant>;
using OtherRow = sdbus::Struct<std::string, std::string, bool>;
using AllowRow = sdbus::Struct<std::string, std::uint8_t, std::uint16_t, std::uint16_t>;

constexpr char netd_name[] = "org.rdv.Netd1";
constexpr char netd_path[] = "/org/rdv/Netd1";
constexpr char bus_name[] = "org.freedesktop.DBus";
constexpr char bus_path[] = "/org/freedesktop/DBus";
constexpr auto quick = 5000ms;
constexpr std::size_t ports_max = 16;  // as the contract has it
constexpr auto kernel_work = 10000ms;  // links, rules and nft together

template <class T>
T fact(const Facts& facts, const char* key) {
  const auto found = facts.find(key);
  if (found == facts.end() || !found->second.containsValueOfType<T>()) return {};
  return found->second.get<T>();
}

Surroundings surroundings_from(const Facts& facts) {
  Surroundings around;
  around.kind = wire::parse_uplink_kind(fact<std::string>(facts, "kind"));
  auto lan = fact<std::string>(facts, "lan_address");
  if (lan.empty()) lan = fact<std::string>(facts, "address");
  around.lan = Ipv4Prefix::parse(lan);
  for (const auto& text : fact<std::vector<std::string>>(facts, "dns"))
    if (const auto server = Ipv4Address::parse(text);
        server && around.dns.size() < wire::dns_servers_max)
      around.dns.push_back(*server);
  around.uplink = fact<std::string>(facts, "interface");
  around.is_chosen = fact<bool>(facts, "chosen");
  around.is_fixed = fact<bool>(facts, "fixed");
  if (const auto own = Ipv4Prefix::parse(fact<std::string>(facts, "address")))
    around.uplink_address = own->address;
  for (const auto& row : fact<std::vector<OtherRow>>(facts, "others"))
    if (const auto address = Ipv4Address::parse(row.get<1>()))
      around.others.push_back({row.get<0>(), *address, row.get<2>()});
  return around;
}

Facts setup_from(const wire::Grant& grant, wire::Role role, const std::string& interface,
                 const std::vector<Ipv4Address>& deny) {
  Facts setup;
  setup["role"] = sdbus::Variant{std::string{to_string(role)}};
  setup["mode"] = sdbus::Variant{std::string{to_string(grant.mode)}};
  if (role == wire::Role::onsite) setup["interface"] = sdbus::Variant{interface};
  if (grant.mode == wire::Mode::l2) return setup;
  setup["tunnel"] = sdbus::Variant{grant.tunnel.str()};
  if (role == wire::Role::master) {
    std::vector<std::string> dns;
    for (const auto& server : grant.dns)
      dns.push_back(server.str());
    setup["dns"] = sdbus::Variant{dns};
    return setup;
  }
  std::vector<AllowRow> allow;
  for (const auto& a : grant.allow)
    allow.emplace_back(std::make_tuple(a.prefix.str(), a.protocol, a.port_first, a.port_last));
  std::vector<std::string> denied;
  for (const auto& address : deny)
    denied.push_back(address.str() + "/32");
  setup["allow"] = sdbus::Variant{allow};
  setup["deny"] = sdbus::Variant{denied};
  return setup;
}

tunnel::UniqueFd copy_of(const sdbus::UnixFd& fd) {
  return tunnel::UniqueFd{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)};
}

template <class... Out>
std::optional<BusFailure> failure_in(const BusAnswer<Out...>& answer) {
  const auto* failure = std::get_if<BusFailure>(&answer);
  return failure == nullptr ? std::nullopt : std::optional{*failure};
}

}  // namespace

NetdClient::NetdClient(tunnel::bus::AsioBus& bus, Events events)
    : bus_{bus},
      events_{std::move(events)},
      daemon_{sdbus::createProxy(bus.connection(), bus_name, bus_path)},
      netd_{sdbus::createProxy(bus.connection(), netd_name, netd_path)} {
  daemon_->uponSignal("NameOwnerChanged")
      .onInterface(bus_name)
      .call([this](const std::string& name, const std::string&, const std::string& owner) {
        on_owner(name, owner);
      });
  daemon_->finishRegistration();
  netd_->uponSignal("InterfaceAdded")
      .onInterface(netd_name)
      .call([this](const std::string& name, const std::string&, const std::string& address) {
        events_.port_added(name, address);
      });
  netd_->uponSignal("InterfaceRemoved")
      .onInterface(netd_name)
      .call([this](const std::string& name, const std::string& reason) {
        events_.port_removed(name, reason);
      });
  netd_->uponSignal("UplinkChanged").onInterface(netd_name).call([this] {
    events_.uplink_changed();
  });
  netd_->finishRegistration();
  // Asked after the match is in place: whether it is there now, or comes later, we are told.
  daemon_->callMethodAsync("NameHasOwner")
      .onInterface(bus_name)
      .withArguments(std::string{netd_name})
      .uponReplyInvoke([this](const sdbus::Error* error, bool has_owner) {
        if (error == nullptr && has_owner) on_owner(netd_name, "somebody");
      });
  bus_.wake();
}

void NetdClient::on_owner(const std::string& name, const std::string& owner) {
  if (name != netd_name) return;
  // A netd that was replaced in one step has forgotten our session as well.
  if (present_) events_.presence(present_ = false);
  if (!owner.empty()) events_.presence(present_ = true);
}

BusMethod NetdClient::method(const char* name, std::chrono::milliseconds timeout) const {
  return {.interface = netd_name, .name = name, .timeout = timeout};
}

Task<std::optional<BusFailure>> NetdClient::set_role(std::string role) {
  co_return failure_in(
      co_await call(bus_, *netd_, method("SetRole", kernel_work), BusAnswer<>{}, std::move(role)));
}

Task<std::variant<Surroundings, BusFailure>> NetdClient::surroundings() {
  const auto answer = co_await call(bus_, *netd_, method("GetUplink", quick), BusAnswer<Facts>{});
  if (auto failure = failure_in(answer)) co_return *failure;
  co_return surroundings_from(std::get<0>(std::get<0>(answer)));
}

Task<std::variant<LaptopPort, BusFailure>> NetdClient::laptop_port() {
  const auto answer = co_await call(bus_, *netd_, method("GetInterface", quick),
                                    BusAnswer<std::string, std::string, std::string, bool>{});
  if (auto failure = failure_in(answer)) co_return *failure;
  const auto& [name, mac, address, carrier] = std::get<0>(answer);
  co_return LaptopPort{carrier ? name : "", Ipv4Prefix::parse(address)};
}

Task<std::variant<std::vector<NetworkPort>, BusFailure>> NetdClient::ports() {
  const auto answer =
      co_await call(bus_, *netd_, method("GetPorts", quick), BusAnswer<std::vector<Facts>>{});
  if (auto failure = failure_in(answer)) co_return *failure;
  std::vector<NetworkPort> ports;
  for (const auto& port : std::get<0>(std::get<0>(answer)))
    if (ports.size() < ports_max)
      ports.push_back({fact<std::string>(port, "name"), fact<bool>(port, "laptop"),
                       fact<std::string>(port, "reason"), fact<std::string>(port, "remedy")});
  co_return ports;
}

Task<std::variant<SessionTun, BusFailure>> NetdClient::open_session(wire::Grant grant,
                                                                    wire::Role role,
                                                                    std::string interface,
                                                                    std::vector<Ipv4Address> deny) {
  auto answer = co_await call(bus_, *netd_, method("OpenSession", kernel_work),
                              BusAnswer<sdbus::UnixFd, std::string>{}, grant.session,
                              setup_from(grant, role, interface, deny));
  if (auto failure = failure_in(answer)) co_return *failure;
  auto& [fd, link] = std::get<0>(answer);
  co_return SessionTun{copy_of(fd), link};
}

Task<std::optional<BusFailure>> NetdClient::fix_uplink(std::string interface) {
  co_return failure_in(
      co_await call(bus_, *netd_, method("FixUplink", quick), BusAnswer<>{}, std::move(interface)));
}

Task<std::optional<BusFailure>> NetdClient::set_servers(std::vector<std::string> addresses) {
  co_return failure_in(co_await call(bus_, *netd_, method("SetServers", quick), BusAnswer<>{},
                                     std::move(addresses)));
}

Task<std::optional<BusFailure>> NetdClient::report_uplink(std::string interface, bool answers) {
  co_return failure_in(co_await call(bus_, *netd_, method("ReportUplink", quick), BusAnswer<>{},
                                     std::move(interface), answers));
}

Task<std::optional<BusFailure>> NetdClient::close_session(std::uint64_t session) {
  co_return failure_in(
      co_await call(bus_, *netd_, method("CloseSession", kernel_work), BusAnswer<>{}, session));
}

Task<std::optional<BusFailure>> NetdClient::leave_note(std::uint64_t session,
                                                       std::vector<std::uint8_t> note) {
  co_return failure_in(co_await call(bus_, *netd_, method("LeaveNote", quick), BusAnswer<>{},
                                     session, std::move(note)));
}

Task<std::variant<KeptSession, BusFailure>> NetdClient::kept_session() {
  using Answer = BusAnswer<std::uint64_t, sdbus::UnixFd, std::string, std::vector<std::uint8_t>>;
  auto answer = co_await call(bus_, *netd_, method("KeptSession", quick), Answer{});
  if (auto failure = failure_in(answer)) co_return *failure;
  auto& [session, fd, link, note] = std::get<0>(answer);
  co_return KeptSession{session, {copy_of(fd), link}, std::move(note)};
}

Task<std::optional<BusFailure>> NetdClient::adopt_session(wire::Grant grant, wire::Role role,
                                                          std::string interface,
                                                          std::vector<Ipv4Address> deny,
                                                          tunnel::UniqueFd tun) {
  co_return failure_in(co_await call(
      bus_, *netd_, method("AdoptSession", kernel_work), BusAnswer<std::string>{}, grant.session,
      setup_from(grant, role, interface, deny), sdbus::UnixFd{tun.get()}));
}

Task<bool> NetdClient::is_on_bus(std::string name) {
  const BusMethod has_owner{.interface = bus_name, .name = "NameHasOwner", .timeout = quick};
  const auto answer = co_await call(bus_, *daemon_, has_owner, BusAnswer<bool>{}, std::move(name));
  const auto* said = std::get_if<0>(&answer);
  co_return said == nullptr || std::get<0>(*said);
}

}  // namespace device
