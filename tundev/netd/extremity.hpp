#pragma once
#include "net/address.hpp"
#include "net/ip_rule.hpp"
#include "net/local_rule.hpp"
#include "net/nft_table.hpp"
#include "net/route.hpp"
#include "net/sysctl.hpp"
#include "netd/guard.hpp"

#include <optional>
#include <string>

namespace device {

namespace net = tunnel::net;

/// The routing table of the laptop: the way into the tunnel, or nowhere.
inline constexpr std::uint32_t laptop_table = 1;

/// Where the old values of sysctls stand while ours are in force.
std::string sysctl_journal(const std::string& runtime_dir);
/// Where it stands that the laptop's port is off (net::LinkOff).
std::string port_off_note(const std::string& runtime_dir);

/// Tells the laptop that there is no way, unless a session has opened one.
class NoWay {
 public:
  /// @throws net::NetError
  NoWay(const std::string& port, const tunnel::Ipv4Prefix& laptop);
  /// @throws net::NetError; then all is as before
  void open();
  void shut() noexcept;
  /// A session is expected back any moment: what the laptop sends is dropped, and it asks again.
  /// @throws net::NetError; then all is as before
  void hush();

 private:
  std::string closed_, silent_;
  net::NftTable table_;
};

/// Lets the laptop's packets on to its routing table as long as this object lives.
class OpenWay {
 public:
  /// @throws net::NetError
  explicit OpenWay(NoWay& way) : way_{way} { way_.open(); }
  ~OpenWay() { way_.shut(); }
  OpenWay(OpenWay&&) = delete;

 private:
  NoWay& way_;
};

/// What a laptop's port changes in a master's kernel; a step that throws undoes those above it. The
/// guard and the dead end stand before anything could be forwarded, and fall after it.
struct ExtremityNetwork {
  /// @param address  ours on the port
  /// @param journal  of the sysctls
  /// @throws net::NetError
  ExtremityNetwork(net::Netlink& netlink, Guard& guard, const std::string& port,
                   const tunnel::Ipv4Prefix& address, const std::string& journal);

  Guarded guarded;
  NoWay no_way;            ///< without a session: ICMP unreachable, never silence
  net::Route dead_end;     ///< and never a leak, also when we are dead
  net::IpRule to_us;       ///< the laptop reaches this machine by its address on the port only
  net::IpRule elsewhere;   ///< and all else by the laptop's table
  net::LocalRule others;   ///< addresses of ours that the customer's LAN has, too
  net::Sysctl loose;       ///< the laptop's sources are judged by table 1 otherwise
  net::Sysctl forwarding;  ///< also what makes the kernel answer for the dead end
  std::optional<net::Sysctl> no_routers;  ///< IPv6: the laptop does not become our router
  net::Address address;
};

}  // namespace device
