#pragma once
#include "net/address.hpp"
#include "net/conntrack.hpp"
#include "net/link.hpp"
#include "net/nft_table.hpp"
#include "net/route.hpp"
#include "net/sysctl.hpp"
#include "net/tun_device.hpp"
#include "netd/extremity.hpp"
#include "netd/session_setup.hpp"

#include <optional>
#include <string>
#include <vector>

namespace device {

namespace net = tunnel::net;

/// Connections that began before a session must not go on in it, nor the other way round: forgets
/// those of `sources` on flush() and on destruction.
class FreshConntrack {
 public:
  explicit FreshConntrack(const tunnel::Ipv4Prefix& sources) : sources_{sources} {}
  ~FreshConntrack();
  FreshConntrack(FreshConntrack&&) = delete;

  /// @throws net::NetError
  void flush() { net::flush_conntrack(sources_); }

 private:
  tunnel::Ipv4Prefix sources_;
};

/// The TUN device of a session with our end's address, switched on. It keeps to itself: answers
/// whatever source it has, is no router but for this session, and dies with us.
struct TunnelLink {
  /// @param lent  a descriptor of the session's device when that outlived an earlier netd; it is
  /// taken over, with its address and no other. None: another device is made
  /// @throws net::NetError
  TunnelLink(net::Netlink& netlink, const tunnel::Ipv4Prefix& ours, bool accept_local,
             tunnel::UniqueFd lent);

  const bool is_fresh;

  net::TunDevice tun;
  std::optional<net::Sysctl> local_sources;  ///< a customer's host may have an address that we have
  net::Sysctl loose;
  net::Sysctl forwarding;
  net::Address address;
  net::Link up;
};

/// What an open session changes in a master's kernel; a step that throws undoes those above it.
struct MasterNetwork {
  /// @param port       the laptop's port
  /// @param laptop     the network on that port
  /// @param extremity  of that port; outlives this
  /// @param lent       as TunnelLink
  /// @throws net::NetError
  MasterNetwork(net::Netlink& netlink, Guard& guard, const SessionSetup& setup,
                const std::string& port, const tunnel::Ipv4Prefix& laptop,
                ExtremityNetwork& extremity, tunnel::UniqueFd lent);

  Guarded guarded;
  TunnelLink tunnel;
  net::NftTable filter;
  FreshConntrack connections;
  net::Route into_tunnel;
  OpenWay way;
};

/// What an open session changes in an onsite's kernel; a step that throws undoes those above it.
struct OnsiteNetwork {
  /// @param lan      name of the customer's LAN port
  /// @param own      this device's addresses there
  /// @param journal  of the sysctls
  /// @param lent     as TunnelLink
  /// @throws net::NetError
  OnsiteNetwork(net::Netlink& netlink, Guard& guard, const SessionSetup& setup,
                const std::string& lan, const std::vector<tunnel::Ipv4Address>& own,
                const std::string& journal, tunnel::UniqueFd lent);

  /// The LAN port was plugged in anew, or has other addresses: the session follows.
  /// @throws net::NetError; then the session is as before
  void adapt(net::Netlink& netlink, const std::vector<tunnel::Ipv4Address>& own);

  SessionSetup setup;
  std::string lan;
  std::vector<tunnel::Ipv4Address> own;
  std::string journal;
  int lan_index;
  /// Forwarding is switched on for the session alone: the customer's hosts get no router by it. The
  /// port is not in it where it forwarded before we came.
  Guarded guarded;
  TunnelLink tunnel;
  std::optional<net::Sysctl> lan_forwarding;
  FreshConntrack connections;
  net::NftTable filter;
};

}  // namespace device
