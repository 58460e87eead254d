#pragma once
#include "config.hpp"
#include "net/link.hpp"
#include "net/link_off.hpp"
#include "net/netlink.hpp"
#include "netd/carrier_drop.hpp"
#include "netd/dnsmasq.hpp"
#include "netd/extremity.hpp"
#include "netd/extremity_policy.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace device {

/// A master's laptop port: finds it, gives it its address, DHCP and DNS, and takes all of it back.
/// Told of changes by look(); reads what is there and makes it so, hence twice changes nothing.
class PortKeeper {
 public:
  static constexpr std::chrono::seconds retry_after{5};  ///< when the kernel refused

  struct Port {
    int index = 0;
    std::string name;
    std::string mac;
  };
  struct Events {
    /// The laptop can ask for its address now.
    std::function<void(const Port&)> ready;
    /// It is gone. reason: "unplugged", "carrier lost" or "taken" (it became the uplink, say).
    /// Called before anything is undone: whoever sees the end of a session's TUN has heard why.
    std::function<void(const Port&, const std::string& reason)> gone;
    /// What is built on the port has to go, before its own undoing.
    std::function<void()> undo;
  };

  /// @param hostname  this device's name for the laptop's DNS
  PortKeeper(tunnel::io::asio::io_context& io, net::Netlink& netlink, Guard& guard,
             const Config& config, std::string hostname, Events events);
  ~PortKeeper();
  PortKeeper(PortKeeper&&) = delete;

  /// Links, addresses or routes may have changed.
  /// @throws net::NetError when the kernel cannot be read. A port that cannot be set up is logged
  ///         and tried again.
  void look();
  /// The link had no carrier for a moment; look() then treats it as gone, even if it is back by
  /// now: it may be another laptop.
  void dropped(int index) {
    dropped_ |= active_ && active_->port.index == index && !carrier_drop_.excuses(index);
  }

  /// Another network is behind the port from now on: its carrier goes for a moment (CarrierDrop),
  /// as at a switch, so that the laptop asks for its address anew. Until it may be back the port
  /// counts as if nothing had happened.
  void drop_carrier();
  /// An earlier run was killed while the port was off; it was switched on just now.
  void excuse_carrier(int index);
  bool carrier_is_excused() const { return active_ && carrier_drop_.excuses(active_->port.index); }

  /// The network ports there are, and why each is not the laptop's. @throws net::NetError as look()
  std::vector<PortReport> report();

  const Port* port() const { return active_ ? &active_->port : nullptr; }
  const tunnel::Ipv4Prefix& address() const { return address_; }
  /// Whether the laptop can ask for its address: `ready` has been called for this port.
  bool ready() const { return active_ && active_->ready; }
  /// Only while there is a port.
  ExtremityNetwork& network() { return *active_->network; }
  /// nullptr while there is no port, or no DHCP of ours on it (NoDhcp).
  Dnsmasq* dns() { return active_ ? active_->dnsmasq.get() : nullptr; }

  /// As long as this object lives there is no DHCP and DNS of ours on the laptop's port, now or
  /// plugged in later: somebody else's servers are to be heard there. The port keeps its address.
  class NoDhcp {
   public:
    explicit NoDhcp(PortKeeper& keeper);
    ~NoDhcp();
    NoDhcp(NoDhcp&&) = delete;

   private:
    PortKeeper& keeper_;
  };

 private:
  struct Active {
    Port port;
    std::unique_ptr<ExtremityNetwork> network;
    std::unique_ptr<Dnsmasq> dnsmasq;
    bool ready = false;
  };

  std::vector<LinkFacts> read_facts();
  void switch_on(const std::vector<LinkFacts>& links);
  void name_others(const ExtremityPolicy::Choice& choice);
  void lose(const std::vector<LinkFacts>& links);
  void set_up(const net::LinkInfo& link);
  std::unique_ptr<Dnsmasq> make_dnsmasq(const std::string& port);
  void serve_again() noexcept;
  void port_is_ready();
  void retry_later();
  void wait_for_carrier();
  void return_carrier();
  void give_up_port();
  void forget_carrier_drop();

  tunnel::io::asio::io_context& io_;
  net::Netlink& netlink_;
  Guard& guard_;
  ExtremityPolicy policy_;
  tunnel::Ipv4Prefix address_;
  std::filesystem::path runtime_dir_;
  std::string hostname_;
  Events events_;
  std::map<int, std::unique_ptr<net::Link>>
      switched_on_;                // by index: to see whether they have carrier
  ExtremityPolicy::Choice named_;  // in the log already
  std::optional<Active> active_;
  std::string trouble_;  // why the chosen port could not be set up; "": it could
  bool dropped_ = false;
  bool leaving_ = false;  // the port is being undone
  int without_dhcp_ = 0;  // NoDhcp objects
  tunnel::io::Timer retry_;
  CarrierDrop carrier_drop_;
  std::optional<net::LinkOff> port_off_;
  tunnel::io::Timer carrier_timer_;
  std::shared_ptr<bool> alive_;  // shared with handlers that may run after our destruction
};

}  // namespace device
