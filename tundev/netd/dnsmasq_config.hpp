#pragma once
#include "base/ipv4.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// What dnsmasq is told, as text. Pure.
namespace device {

struct DnsmasqPaths {
  std::filesystem::path config;
  std::filesystem::path servers;  ///< upstream servers, read again on SIGHUP
  std::filesystem::path leases;
  std::filesystem::path pid;  ///< appears when dnsmasq answers

  /// The four files in the daemon's runtime directory.
  static DnsmasqPaths in(const std::filesystem::path& runtime_dir);
};

/// How long the laptop keeps its address without asking again. Short, so that an address is free
/// soon after another laptop was plugged in; dnsmasq's least is 120 s.
inline constexpr int lease_seconds = 120;

/// DHCP for the rest of the network of `ours` on `port`, and a DNS relay that at first knows no
/// server: it answers REFUSED at once. Nothing of this machine's own names and resolvers is used.
///
/// @param ours      our address on the port: the laptop's router and DNS server
/// @param hostname  this device's name, answered with `ours`; left out when it is no host name
std::string dnsmasq_config(const std::string& port, const tunnel::Ipv4Prefix& ours,
                           std::string_view hostname, const DnsmasqPaths& paths);

/// The servers file: `dns` asked through `tunnel` only; "" for no server. What the customer
/// publishes is not to be trusted: addresses that can be no host of theirs (loopback, link-local,
/// multicast, reserved) are left out.
std::string dnsmasq_servers(const std::vector<tunnel::Ipv4Address>& dns, const std::string& tunnel);

}  // namespace device
