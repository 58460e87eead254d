#include "agent/dial.hpp"

#include "agent/lookup.hpp"
#include "agent/proxy_tunnel.hpp"
#include "crypto/hash.hpp"

#include <fmt/format.h>

#include <utility>

namespace device {
namespace {

using Connected = std::variant<tcp::socket, DialFailure>;

/// Names whose addresses are remembered: those of servers_max servers and a proxy, over the years.
constexpr std::size_t names_max = 64;

/// TCP to one of `hops`, and through the proxy that answers there if it is one.
Task<DialOutcome> connect(HostPort server, std::vector<tcp::endpoint> hops,
                          std::shared_ptr<Proxy> proxy, Clock::time_point ends) {
  auto connected = co_await connect_first(std::move(hops), ends);
  if (auto* failure = std::get_if<DialFailure>(&connected)) {
    if (proxy)
      failure->why =
          fmt::format("the proxy {} cannot be reached: {}", proxy->at().str(), failure->why);
    co_return std::move(*failure);
  }
  auto& socket = std::get<tcp::socket>(connected);
  tunnel::io::error_code ec;
  Way way{
      .server = std::move(server), .hop = socket.remote_endpoint(ec), .proxy = std::move(proxy)};
  if (way.proxy) {
    auto failure = co_await open_tunnel(socket, way.hop, way.server, *way.proxy, ends);
    if (failure) co_return std::move(*failure);
  }
  co_return Dialled{std::move(socket), std::move(way)};
}

}  // namespace

std::optional<asio::ip::address> Way::server_address() const {
  if (!proxy) return hop.address();
  tunnel::io::error_code ec;
  auto address = asio::ip::make_address(server.host, ec);
  return ec ? std::nullopt : std::optional{address};
}

Task<Connected> dial(Way way, Clock::duration time) {
  const auto ends = Clock::now() + time;
  std::vector<tcp::endpoint> hops(1, way.hop);  // GCC 12: no list in braces inside a co_await
  auto outcome = co_await connect(way.server, std::move(hops), way.proxy, ends);
  if (auto* dialled = std::get_if<Dialled>(&outcome)) co_return std::move(dialled->socket);
  co_return std::get<DialFailure>(std::move(outcome));
}

Task<DialOutcome> Dialler::dial(Clock::duration time) {
  const auto ends = Clock::now() + time;
  auto found = co_await candidates(ends);
  if (auto* failure = std::get_if<DialFailure>(&found)) co_return std::move(*failure);
  const auto servers = memory_.order(std::get<0>(std::move(found)), Clock::now());
  DialFailure all;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const auto now = Clock::now();
    if (now >= ends) break;
    const auto share = server_share(ends - now, servers.size() - i - 1);
    auto outcome = co_await reach(servers[i], now + share);
    if (std::holds_alternative<Dialled>(outcome)) co_return outcome;
    auto& failure = std::get<DialFailure>(outcome);
    memory_.on_failed(servers[i], Clock::now());
    if (servers.size() == 1 || failure.is_final) co_return std::move(failure);
    all.why += fmt::format("{}{}: {}", all.why.empty() ? "" : "; ", servers[i].str(), failure.why);
  }
  if (all.why.empty()) all.why = "it does not answer";
  co_return all;
}

Task<std::variant<std::vector<HostPort>, DialFailure>> Dialler::candidates(Clock::time_point ends) {
  const auto listed = parse_servers(servers_);
  if (!listed) co_return DialFailure{"it is not a host and a port"};
  std::vector<HostPort> servers;
  for (const auto& one : *listed) {
    const auto several = co_await servers_of(one, ends);
    for (const auto& server : several)
      if (servers.size() < servers_max) servers.push_back(server);
  }
  co_return servers;
}

/// What `name` stands for. Behind a proxy a device cannot ask the Internet's name servers, as a
/// rule, and the proxy is told the name as it is.
Task<std::vector<HostPort>> Dialler::servers_of(HostPort name, Clock::time_point ends) {
  const std::vector only{name};
  if (name.is_address() || name.port != HostPort::default_port || proxies_.for_host(name.host))
    co_return only;
  auto& known = services_[name.host];
  const auto now = Clock::now();
  if (now >= known.ask_after) {
    const auto until = now + std::min<Clock::duration>(srv_timeout, (ends - now) / 4);
    auto records = co_await look_up_srv("_rdv._tcp." + name.host, until);
    const bool has_none = !records || records->empty();
    if (records) known.records = std::move(*records);
    known.ask_after = has_none ? Clock::now() + srv_none_for : Clock::time_point{};
  }
  const auto servers = srv_order(known.records, [] { return tunnel::crypto::random_u64(); });
  if (servers.empty()) co_return only;
  co_return servers;
}

Task<DialOutcome> Dialler::reach(HostPort server, Clock::time_point ends) {
  const auto proxy = proxies_.for_host(server.host);
  const auto first = proxy ? proxy->at() : server;
  auto found = co_await addresses_of(first, ends);
  if (auto* failure = std::get_if<DialFailure>(&found)) {
    if (proxy) failure->why = fmt::format("the proxy {}: {}", first.str(), failure->why);
    co_return std::move(*failure);
  }
  if (prepare_) co_await prepare_(std::get<0>(found));
  co_return co_await connect(server, interleave(std::get<0>(found)), proxy, ends);
}

Task<std::variant<std::vector<tcp::endpoint>, DialFailure>> Dialler::addresses_of(
    HostPort host, Clock::time_point ends) {
  const auto now = Clock::now();
  auto found = co_await look_up(host, now + lookup_share(ends - now));
  if (auto* addresses = std::get_if<0>(&found)) {
    if (!host.is_address() && (addresses_.size() < names_max || addresses_.contains(host)))
      addresses_[host] = *addresses;
    co_return std::move(*addresses);
  }
  const auto known = addresses_.find(host);
  if (known != addresses_.end()) co_return known->second;
  co_return DialFailure{std::get<LookupFailure>(std::move(found)).why};
}

}  // namespace device
