#pragma once
#include "agent/bus_call.hpp"
#include "base/unique_fd.hpp"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace device {

/// What netd knows of the device's networks.
struct Surroundings {
  tunnel::wire::UplinkKind kind = tunnel::wire::UplinkKind::unknown;
  std::optional<tunnel::Ipv4Prefix> lan;  ///< onsite: the customer's; master: its own
  std::vector<tunnel::Ipv4Address> dns;

  /// A usable uplink that is not in use.
  struct Other {
    std::string interface;
    tunnel::Ipv4Address address;
    bool better;  ///< than the one in use
  };
  std::string uplink;  ///< the interface in use; "": none
  tunnel::Ipv4Address uplink_address;
  bool is_chosen = false;  ///< netd chooses the uplink: [uplink] is configured, or it is fixed
  bool is_fixed = false;   ///< no other uplink is used
  std::vector<Other> others;
};

/// The laptop's port of a master.
struct LaptopPort {
  std::string name;  ///< "": none
  std::optional<tunnel::Ipv4Prefix> address;
};

/// One network port of a master, as netd judges it.
struct NetworkPort {
  std::string name;
  bool is_laptops = false;
  std::string reason, remedy;  ///< why it is not the laptop's, and what to do about it
};

/// The TUN device of a session; in L2 it is a TAP.
struct SessionTun {
  tunnel::UniqueFd fd;
  std::string link;
};

/// A session of an agent that was killed, as netd keeps it.
struct KeptSession {
  std::uint64_t session = 0;
  SessionTun tun;
  std::vector<std::uint8_t> note;  ///< that agent's
};

/// tundev-netd as the agent uses it (dbus/org.rdv.Netd1.xml). Every call has a deadline; what netd
/// tells comes in by Events, from the bus's own handlers.
class NetdClient {
 public:
  struct Events {
    std::function<void(bool present)> presence;
    std::function<void(const std::string& name, const std::string& address)> port_added;
    std::function<void(const std::string& name, const std::string& reason)> port_removed;
    std::function<void()> uplink_changed;
  };

  NetdClient(tunnel::bus::AsioBus& bus, Events events);

  /// Its name is on the bus.
  bool is_present() const { return present_; }

  Task<std::optional<BusFailure>> set_role(std::string role);
  Task<std::variant<Surroundings, BusFailure>> surroundings();
  Task<std::variant<LaptopPort, BusFailure>> laptop_port();
  Task<std::variant<std::vector<NetworkPort>, BusFailure>> ports();
  /// @param interface  onsite: the customer's LAN port; "": of the default route
  Task<std::variant<SessionTun, BusFailure>> open_session(tunnel::wire::Grant grant,
                                                          tunnel::wire::Role role,
                                                          std::string interface,
                                                          std::vector<tunnel::Ipv4Address> deny);
  /// @param interface  the only one by which the server is reached; "": as configured
  Task<std::optional<BusFailure>> fix_uplink(std::string interface);
  /// @param addresses  IPv4, of the server or the proxy before it
  Task<std::optional<BusFailure>> set_servers(std::vector<std::string> addresses);
  /// Whether the server answers by that interface.
  Task<std::optional<BusFailure>> report_uplink(std::string interface, bool answers);
  Task<std::optional<BusFailure>> close_session(std::uint64_t session);
  /// What this agent leaves for the one after it.
  Task<std::optional<BusFailure>> leave_note(std::uint64_t session, std::vector<std::uint8_t> note);
  Task<std::variant<KeptSession, BusFailure>> kept_session();
  /// Parameters as open_session(). @param tun  the session's
  Task<std::optional<BusFailure>> adopt_session(tunnel::wire::Grant grant, tunnel::wire::Role role,
                                                std::string interface,
                                                std::vector<tunnel::Ipv4Address> deny,
                                                tunnel::UniqueFd tun);
  /// Whether somebody has that bus name; true when the bus does not say.
  Task<bool> is_on_bus(std::string name);

 private:
  void on_owner(const std::string& name, const std::string& owner);
  BusMethod method(const char* name, std::chrono::milliseconds timeout) const;

  tunnel::bus::AsioBus& bus_;
  Events events_;
  std::unique_ptr<sdbus::IProxy> daemon_;
  std::unique_ptr<sdbus::IProxy> netd_;
  bool present_ = false;
};

}  // namespace device
