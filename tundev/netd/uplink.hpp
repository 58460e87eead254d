#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace device {

/// The way to the Internet, and on an onsite the customer's LAN, as GetUplink tells it.
struct Uplink {
  std::string interface;         ///< "" when there is none
  std::string kind;              ///< "lan", "wlan" or "wwan"
  std::string address;           ///< CIDR; "" for none
  std::string gateway;           ///< "" on a point-to-point link
  std::vector<std::string> dns;  ///< at most `uplink_dns_max`
  /// Another one that could take over.
  struct Other {
    std::string interface;
    std::string address;
    bool better;  ///< of higher priority than the one in use

    bool operator==(const Other&) const = default;
  };
  bool chosen = false;        ///< by us: [uplink] is configured, or one was fixed
  bool fixed = false;         ///< only this one is used
  std::vector<Other> others;  ///< of a configured list, the best first
  std::string lan_interface;
  std::string lan_address;  ///< CIDR

  bool operator==(const Uplink&) const = default;
};

inline constexpr std::size_t uplink_dns_max = 8;
inline constexpr std::size_t resolv_conf_bytes_max = 64 * 1024;

/// The servers of a resolv.conf (resolv.conf(5)), in order, each once; loopback ones are left out,
/// since nobody else can ask them.
std::vector<std::string> parse_resolv_conf(std::string_view text);

/// Whether all the servers it names are systemd-resolved's own (127.0.0.53, 127.0.0.54); then the
/// real ones stand in /run/systemd/resolve/resolv.conf.
bool names_only_resolved(std::string_view text);

/// @param hardware  ARPHRD_ value of the link
/// @param wireless  the kernel has it as Wi-Fi
/// @param devtype   DEVTYPE of its uevent in sysfs, "" when unknown
std::string_view uplink_kind(std::string_view name, int hardware, bool wireless,
                             std::string_view devtype);

}  // namespace device
