#pragma once
#include "base/ipv4.hpp"
#include "net/netlink_socket.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tunnel::net {

/// A network interface as the kernel describes it.
struct LinkInfo {
  int index = 0;
  std::string name;
  std::string mac;    ///< "02:00:00:00:00:01"; "" when it has none
  std::string kind;   ///< "veth", "bridge", "tun", …; "" for hardware
  std::string bus;    ///< of the hardware: "usb", "pci", "virtio"; "" when virtual or unknown
  std::string alias;  ///< free text somebody gave it
  int hardware = 0;   ///< ARPHRD_ value: 1 Ethernet, 772 loopback, 65534 TUN, 512 PPP
  int mtu_bytes = 0;
  int master_index = 0;  ///< the bridge or bond it is a port of; 0 for none
  bool up = false;       ///< switched on (IFF_UP)
  bool carrier = false;  ///< there is something at the cable's other end; false while not up

  friend bool operator==(const LinkInfo&, const LinkInfo&) = default;
};

struct AddressInfo {
  int index = 0;  ///< of the link
  Ipv4Prefix address;
  std::uint8_t protocol = 0;  ///< who put it there (IFA_PROTO); 0 when unknown or by a person

  friend bool operator==(const AddressInfo&, const AddressInfo&) = default;
};

struct DefaultRoute {
  int index = 0;        ///< of the link
  std::string link;     ///< its name
  Ipv4Address gateway;  ///< 0.0.0.0: none, the link is point to point
  std::uint32_t metric = 0;

  friend bool operator==(const DefaultRoute&, const DefaultRoute&) = default;
};

/// One rtnetlink socket of the network namespace we were started in; reads what is there. Not
/// thread safe. Everything that is given a `Netlink&` keeps it: it has to live longer. IPv4 only.
class Netlink {
 public:
  /// @throws NetError
  Netlink();

  /// @throws NetError (all of them); an empty answer is none
  std::vector<LinkInfo> links();
  std::optional<LinkInfo> find_link(const std::string& name);
  std::vector<AddressInfo> addresses();
  /// The addresses of one link, in the kernel's order: the first is the primary one.
  std::vector<AddressInfo> addresses(int link_index);
  /// The usable default route of the main table with the lowest metric: it tells the uplink. Of
  /// several next hops the first; one whose link is down or has no carrier does not count.
  std::optional<DefaultRoute> default_route();
  /// All of them, one for each link (its best), the lowest metric first.
  std::vector<DefaultRoute> default_routes();

  /// @throws NetError ENODEV saying `attempted` when there is no such link
  int index_of(const std::string& link, std::string_view attempted);

  NetlinkSocket& socket() noexcept { return socket_; }

 private:
  NetlinkSocket socket_;
};

/// Reads one RTM_NEWLINK or RTM_DELLINK message.
LinkInfo parse_link(const nlmsghdr& header);
/// Reads one RTM_NEWADDR or RTM_DELADDR message of IPv4; the local address where there is a peer,
/// too.
AddressInfo parse_address(const nlmsghdr& header);

}  // namespace tunnel::net
