#pragma once
#include "config.hpp"
#include "net/policy_routes.hpp"
#include "netd/uplink.hpp"
#include "netd/uplink_policy.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace device {

namespace net = tunnel::net;

/// The server's addresses that are routed; the agent names no more.
inline constexpr std::size_t server_addresses_max = 16;

/// An interface that can carry the connection to the server now: it has carrier, an address and a
/// default route of the main table.
struct UplinkWay {
  int index = 0;
  std::string name;
  std::string_view kind;  ///< as uplink_kind()
  tunnel::Ipv4Prefix address;
  tunnel::Ipv4Address gateway;  ///< 0.0.0.0: point to point

  bool operator==(const UplinkWay&) const = default;
};

/// Whether an interface is meant by an entry of `[uplink] devices`.
/// @param kind  as uplink_kind()
bool is_meant(const std::string& entry, const std::string& name, std::string_view kind);

/// Chooses the uplink and leads what this machine itself sends to the server through it, by rules
/// and tables of our own: the default route of the main table is not touched.
///
///   40: from ADDRESS iif lo lookup 5240+n    what an uplink's address began goes on by that uplink
///   48: iif lo lookup 5240+n                 the chosen one, for what has no source address yet
///   5240+n: SERVER via GATEWAY dev UPLINK    for each usable uplink
///
/// Without a configured list it only says what the kernel's default route says, and changes
/// nothing.
class UplinkKeeper {
 public:
  static constexpr std::uint32_t own_source_priority = 40, chosen_priority = 48;
  static constexpr std::uint32_t first_table = 5240;
  /// Server unreachable: for a fixed uplink that cannot be used.
  static constexpr std::uint32_t no_way_table = first_table + UplinkPolicy::uplinks_max;

  /// @param netlink  outlives this
  UplinkKeeper(net::Netlink& netlink, const Config::Uplink& config);

  /// Reads the kernel, decides, and makes the kernel so.
  /// @throws net::NetError
  void look(Clock::time_point now);
  /// What the agent found out: whether the server answers by that interface.
  /// @throws net::NetError as look()
  void on_report(const std::string& interface, bool answers, Clock::time_point now);
  /// Where the server is. @throws net::NetError as look()
  void set_servers(std::vector<tunnel::Ipv4Address> servers, Clock::time_point now);

  /// From now on this interface is the only one; "": as configured. @throws net::NetError as look()
  void fix(const std::string& interface, Clock::time_point now);

  /// The chosen uplink; nothing while there is none.
  std::optional<UplinkWay> active() const;
  /// The usable ones, the best first; one at most without a configured list.
  std::span<const UplinkWay> usable() const { return usable_; }
  /// Whether there is a list, or a fixed uplink: else the kernel's default route decides.
  bool is_configured() const { return !entries_.empty(); }
  bool is_fixed() const { return is_fixed_; }

 private:
  std::vector<UplinkWay> read_usable();
  std::optional<std::size_t> rank(const std::string& name, std::string_view kind) const;
  std::uint32_t table_of(const std::string& name);
  net::PolicyRoutes::Desired desired();
  void apply();

  net::Netlink& netlink_;
  Config::Uplink config_;
  std::vector<std::string> entries_;
  bool is_fixed_;
  UplinkPolicy policy_;
  std::vector<UplinkWay> usable_;
  std::vector<tunnel::Ipv4Address> servers_;
  std::vector<std::string> slots_;  ///< whose table is 5240 + index
  net::PolicyRoutes routes_;
};

}  // namespace device
