#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace device {

/// What the policy needs to know of one link.
struct LinkFacts {
  int index = 0;
  std::string name;
  std::string kind;       ///< IFLA_INFO_KIND: "" for hardware, "veth", "bridge", "tun"…
  bool ethernet = false;  ///< ARPHRD_ETHER and no loopback
  bool wireless = false;
  bool usb = false;       ///< behind a USB port, also one on the board
  bool on_board = false;  ///< soldered on: the device tree has it, or it is no USB on such a board
  bool enslaved = false;  ///< a port of a bridge, bond or team
  bool carrier = false;   ///< a cable with somebody at its other end
  bool default_route = false;  ///< a default route of the main table leaves by it
  bool addressed = false;  ///< somebody else gave it an IPv4 address (link-local ones do not count)
};

/// Why a link is not the laptop's port, and what somebody can do about it; no reason: it can be it.
struct WhyNot {
  std::string_view reason, remedy;
  bool empty() const { return reason.empty(); }
};

/// One network port, for who wonders why the laptop gets no address.
struct PortReport {
  std::string name;
  bool is_laptops = false;
  std::string reason, remedy;  ///< "" when it is the laptop's
};

/// Decides which interface is the laptop's port of a master. Pure.
///
/// Anything that is a plain Ethernet adapter may be it, but not lo, the board's own port (also when
/// that is USB, as on a Pi 3), an eth0 that is no USB adapter, Wi-Fi, a way to the Internet, a port
/// of a bridge, something virtual, or one that somebody else has configured. A `match` replaces the
/// judgement by name, place, kind and address: it may name eth0, but never an uplink, Wi-Fi or an
/// rdv link.
///
/// While nothing has a default route, any of several adapters may be the way to the Internet that
/// has not come up yet, and a DHCP server of ours does harm there. Then none is taken, unless a
/// `match` says which one it is; a port in use stays.
class ExtremityPolicy {
 public:
  struct Config {
    std::string match;                 ///< glob of names (fnmatch(3)); "": any
    std::vector<std::string> exclude;  ///< globs of names that are never it
    std::vector<std::string> uplinks;  ///< names that the configuration gives to the uplink
  };
  struct Choice {
    std::optional<int> index;         ///< the laptop's port, if there is one with carrier
    std::vector<std::string> spares;  ///< further ones with carrier, in order; the first takes over
    std::vector<std::string> doubtful;  ///< with carrier; none is taken until an uplink is known
  };

  /// Ports that report() names: those that are hardware first.
  static constexpr std::size_t reports_max = 16;

  explicit ExtremityPolicy(Config config) : config_{std::move(config)} {}

  /// Why `link` cannot be the laptop's port. Carrier is not looked at.
  WhyNot why_not(const LinkFacts& link) const;

  /// @param current  index of the port in use; it stays as long as it can, so that a second adapter
  /// changes nothing.
  ///                 A foreign address that comes to it later is no reason to leave it.
  Choice choose(std::span<const LinkFacts> links, std::optional<int> current) const;

  /// Every port that somebody could plug a laptop into: no tunnel, bridge or other virtual link.
  /// @param current  as choose()
  /// @param trouble  why the port that was chosen is not ready; "": nothing is wrong
  std::vector<PortReport> report(std::span<const LinkFacts> links, std::optional<int> current,
                                 const std::string& trouble) const;

 private:
  PortReport report_on(const LinkFacts& link, const LinkFacts* current, bool doubt,
                       const std::string& trouble) const;
  bool usable(const LinkFacts& link, std::optional<int> current) const;
  bool in_doubt(std::span<const LinkFacts> links) const;

  Config config_;
};

}  // namespace device
