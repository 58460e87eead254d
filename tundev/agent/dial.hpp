#pragma once
#include "agent/connect_race.hpp"
#include "dial/order.hpp"
#include "dial/proxy.hpp"
#include "wire/limits.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace device {

/// How a connection got to the server. The legs of a session go the way of the control connection.
struct Way {
  HostPort server;
  tcp::endpoint hop;             ///< where TCP goes: the server, or the proxy
  std::shared_ptr<Proxy> proxy;  ///< nullptr: none. Shared with the Dialler, which may go first

  /// The server's own; nothing when only the proxy knows it.
  std::optional<asio::ip::address> server_address() const;
};

struct Dialled {
  tcp::socket socket;
  Way way;
};
using DialOutcome = std::variant<Dialled, DialFailure>;

/// Goes the same way again, within `time`.
Task<std::variant<tcp::socket, DialFailure>> dial(
    Way way, tunnel::Clock::duration time = tunnel::wire::connect_timeout);

/// Connects a device to one of its servers: a list of addresses, of which a name on the default
/// port may stand for several (SRV records of _rdv._tcp.NAME), each with IPv6 and IPv4 addresses,
/// or behind an HTTP proxy. The order is that of the list, but for servers that failed lately.
/// Remembers what it learnt: a server that is known is dialled even when no name server answers.
class Dialler {
 public:
  /// A list and its SRV records, together; more is not tried.
  static constexpr std::size_t servers_max = 16;
  /// So long the answer to a question for SRV records is waited for; a name that has none is not
  /// asked again before srv_none_for is over.
  static constexpr auto srv_timeout = std::chrono::seconds{1};
  static constexpr auto srv_none_for = std::chrono::minutes{10};

  /// @param servers  host:port, several with commas between them
  Dialler(std::string servers, ProxyChoice proxies)
      : servers_{std::move(servers)}, proxies_{std::move(proxies)} {}

  /// As configured, for a person.
  const std::string& servers() const { return servers_; }

  /// Called with every address that is about to be dialled, and awaited: routes to them can be
  /// made.
  using Prepare = std::function<Task<>(const std::vector<tcp::endpoint>& hops)>;
  void before_connecting(Prepare prepare) { prepare_ = std::move(prepare); }

  /// Connects to the first server that can be reached, within `time` for all of it: names, every
  /// address, proxy. One call at a time.
  Task<DialOutcome> dial(tunnel::Clock::duration time = tunnel::wire::connect_timeout);

  /// What came of a connection: a server that closes it or is somebody else is no better than one
  /// that does not answer.
  void on_good(const Way& way) { memory_.on_good(way.server); }
  void on_failed(const Way& way) { memory_.on_failed(way.server, Clock::now()); }

 private:
  struct Service {
    std::vector<SrvRecord> records;  ///< the last that were seen
    Clock::time_point ask_after;
  };

  Task<std::variant<std::vector<HostPort>, DialFailure>> candidates(Clock::time_point ends);
  Task<std::vector<HostPort>> servers_of(HostPort name, Clock::time_point ends);
  Task<DialOutcome> reach(HostPort server, Clock::time_point ends);
  Task<std::variant<std::vector<tcp::endpoint>, DialFailure>> addresses_of(HostPort host,
                                                                           Clock::time_point ends);

  std::string servers_;
  ProxyChoice proxies_;
  Prepare prepare_;
  ServerMemory memory_;
  std::map<std::string, Service> services_;                   ///< by name of servers_
  std::map<HostPort, std::vector<tcp::endpoint>> addresses_;  ///< the last that were seen
};

}  // namespace device
