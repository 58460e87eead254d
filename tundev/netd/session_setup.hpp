#pragma once
#include "base/ipv4.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace device {

enum class Role { none, master, onsite };

std::string_view to_text(Role role);  ///< "", "master", "onsite"

/// What a session carries: IPv4 packets that both devices route, or the Ethernet frames of the
/// laptop's port and the customer's LAN port.
enum class Mode { l3, l2 };

inline constexpr std::size_t allow_max = 256;          ///< permits of one session
inline constexpr std::size_t deny_max = 64;            ///< prefixes never forwarded to
inline constexpr std::size_t dns_max = 8;              ///< DNS servers of the customer
inline constexpr std::size_t note_bytes_max = 65'536;  ///< what an agent leaves with its session

/// Where an onsite forwards to: one prefix, perhaps one protocol and a range of its ports only.
struct Permit {
  tunnel::Ipv4Prefix prefix;
  std::uint8_t protocol = 0;     ///< IP protocol number; 0: any
  std::uint16_t first_port = 0;  ///< 0: any port; else only with TCP, UDP, SCTP or DCCP
  std::uint16_t last_port = 0;

  bool operator==(const Permit&) const = default;
};

/// A request for a session as it came over D-Bus, unchecked.
struct SessionRequest {
  std::string role;
  std::string mode;
  std::string tunnel;
  std::string interface;
  std::vector<std::tuple<std::string, std::uint8_t, std::uint16_t, std::uint16_t>> allow;
  std::vector<std::string> deny;
  std::vector<std::string> dns;
};

/// A request that has been checked: it fits what the kernel is told, in number and in form.
struct SessionSetup {
  Role role = Role::none;
  Mode mode = Mode::l3;       ///< in L2 only `interface` is set besides
  tunnel::Ipv4Prefix tunnel;  ///< the /30
  std::string interface;      ///< onsite; "": decide by configuration or default route
  std::vector<Permit> allow;
  std::vector<tunnel::Ipv4Prefix> deny;
  std::vector<tunnel::Ipv4Address> dns;  ///< the IPv4 ones of the request

  tunnel::Ipv4Prefix onsite_end() const { return {{tunnel.address.value + 1}, tunnel.length}; }
  tunnel::Ipv4Prefix master_end() const { return {{tunnel.address.value + 2}, tunnel.length}; }

  bool operator==(const SessionSetup&) const = default;
};

/// @param problem  one sentence when the answer is false
/// @return         whether `request` can be used; then it stands in `setup`
bool check_session(const SessionRequest& request, SessionSetup& setup, std::string& problem);

/// Whether `name` can be the name of a link: 1 to 15 bytes, no blank, slash, quote or control
/// character, not "." or "..".
bool is_link_name(std::string_view name);

}  // namespace device
