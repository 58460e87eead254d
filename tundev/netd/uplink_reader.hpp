#pragma once
#include "net/netlink.hpp"
#include "netd/uplink.hpp"
#include "netd/uplink_keeper.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace device {

namespace net = tunnel::net;

/// Reads the uplink and, on an onsite, the customer's LAN from kernel and resolv.conf.
class UplinkReader {
 public:
  /// @param lan          name of the customer's LAN port; "": the interface of the default route
  /// @param resolv_conf  where the DNS servers stand
  UplinkReader(net::Netlink& netlink, std::string lan, std::filesystem::path resolv_conf);

  /// @param keeper  says which uplink it is when there is a list of them
  /// @throws net::NetError when the kernel cannot be read; what is not there is left empty
  Uplink read(const UplinkKeeper& keeper);

  /// The customer's LAN port: `wanted`, or the configured one, or that of the default route, of
  /// several the first that is no mobile or wireless one.
  /// @param problem  a sentence for a person, when there is no answer
  std::optional<std::string> lan(const std::string& wanted, std::string& problem);
  /// The IPv4 addresses of a link, the primary one first; empty when there is no such link.
  std::vector<tunnel::Ipv4Prefix> addresses_of(const std::string& link);

  /// The files whose change may change the DNS servers.
  std::vector<std::filesystem::path> files() const;

 private:
  std::vector<std::string> dns_servers() const;
  std::string lan_by_routes();

  net::Netlink& netlink_;
  std::string lan_;
  std::string
      last_lan_;  ///< by its default route; it stays the LAN while only mobile ways are there
  std::filesystem::path resolv_conf_;
};

}  // namespace device
