#pragma once
#include "net/ingress_redirect.hpp"
#include "net/link.hpp"
#include "net/nft_table.hpp"
#include "net/promiscuous.hpp"
#include "net/tun_device.hpp"
#include "netd/session_setup.hpp"

#include <optional>
#include <string>

namespace device {

namespace net = tunnel::net;

/// Joins a port and a TAP device as long as it lives (l2_filter_text.hpp). Nothing of the port is
/// changed but that it hears all frames; a step that throws undoes those above it, and SIGKILL
/// undoes them all.
struct L2Joint {
  /// @param own  a master: this host's address on the port
  /// @throws net::NetError
  L2Joint(net::Netlink& netlink, Role role, const net::LinkInfo& at, tunnel::Ipv4Address own,
          const net::LinkInfo& tap);

  net::LinkInfo port;
  net::Promiscuous all_frames;
  std::optional<net::IngressRedirect> to_host;  ///< an onsite: what is for itself
  net::NftTable table;
};

/// What an open L2 session changes in a device's kernel.
struct L2Network {
  struct Spec {
    Role role = Role::none;
    std::string port;         ///< the laptop's, or the customer's LAN port
    tunnel::Ipv4Address own;  ///< a master: this host's address on it
  };
  /// @param lent  a descriptor of the session's device when that outlived an earlier netd. None:
  /// another device is made
  /// @throws net::NetError; then nothing was changed
  L2Network(net::Netlink& netlink, const Spec& spec, tunnel::UniqueFd lent);

  /// The port was plugged in anew, or has another MAC address: the session follows. While it is not
  /// there nothing crosses.
  /// @throws net::NetError; the next call tries again
  void adapt(net::Netlink& netlink);

  Spec spec;
  net::TunDevice tun;
  std::optional<L2Joint> joint;
  net::Link up;
};

}  // namespace device
