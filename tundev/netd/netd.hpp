#pragma once
#include "base/unique_fd.hpp"
#include "config.hpp"
#include "io/asio.hpp"
#include "net/link_monitor.hpp"
#include "net/netlink.hpp"
#include "netd/file_watch.hpp"
#include "netd/guard.hpp"
#include "netd/l2_network.hpp"
#include "netd/orphans.hpp"
#include "netd/port_keeper.hpp"
#include "netd/session_network.hpp"
#include "netd/uplink_keeper.hpp"
#include "netd/uplink_reader.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace device {

/// A request cannot be fulfilled; what() is a sentence, name() the last part of the D-Bus error.
class RequestError : public std::runtime_error {
 public:
  RequestError(std::string name, const std::string& text)
      : std::runtime_error{text}, name_{std::move(name)} {}
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// The daemon without its bus: role, laptop's port, session, uplink. One object is a device's whole
/// kernel state; destroying it undoes that.
///
/// A session outlives the agent that opened it, and the netd that made it, for a moment
/// (docs/ARCHITECTURE.md, "When a daemon is killed"):
///
///   open --owner gone, note left--> kept --adopt_session()--> open
///   killed --next start--> its tunnel is an orphan --adopt_session() with its TUN--> open
///   kept, orphan --time is over, anything else is opened--> undone
class Netd {
 public:
  /// From a change to uplink_changed.
  static constexpr std::chrono::milliseconds uplink_settles{300};
  /// An agent that was killed is back within this, or its session is undone.
  static constexpr std::chrono::seconds agent_back_within{10};
  /// From our start: whoever holds a tunnel of a netd that was killed has seen us by then, also on
  /// a card that is slow for some seconds.
  static constexpr std::chrono::seconds orphans_adopted_within{10};

  struct Events {
    std::function<void(const PortKeeper::Port&)> port_ready;
    std::function<void(const PortKeeper::Port&, const std::string& reason)> port_gone;
    std::function<void()> uplink_changed;
  };
  struct Interface {
    std::string name;  ///< "" while there is none
    std::string mac;
    std::string address;
    bool carrier = false;
  };
  struct Opened {
    int tun;  ///< borrowed until the session is closed
    std::string link;
  };
  struct Kept {
    std::uint64_t id;
    Opened opened;
    std::vector<std::uint8_t> note;
  };

  /// Sweeps what an earlier run left, sets up the guard and begins to watch.
  /// @throws net::NetError
  Netd(tunnel::io::asio::io_context& io, const Config& config, Events events);
  ~Netd();
  Netd(Netd&&) = delete;

  /// @throws RequestError InvalidArgument
  void set_role(const std::string& role);
  Interface interface() const;
  /// A master's network ports, and why each is not the laptop's; of another device none.
  /// @throws net::NetError
  std::vector<PortReport> ports() { return port_ ? port_->report() : std::vector<PortReport>{}; }
  /// What keeps netd from its work, as one sentence: the kernel does not answer. "": nothing.
  std::string trouble() noexcept;
  /// One sentence on how it does.
  std::string status() const;
  Uplink uplink() { return uplink_reader_.read(uplinks_); }
  /// The server is reached by this interface only; "": as configured.
  /// @throws RequestError NotFound
  void fix_uplink(const std::string& interface);
  /// Where the server is: routed by the uplink that is chosen.
  /// @throws RequestError InvalidArgument
  void set_servers(const std::vector<std::string>& addresses);
  /// Whether the server answers by that interface.
  void report_uplink(const std::string& interface, bool answers);

  /// @param owner  bus name of the caller; owner_gone() ends its session
  /// @throws RequestError InvalidArgument, WrongRole, Busy, NoInterface, NotBridgeable
  /// @throws net::NetError when the kernel refuses; then nothing was changed
  Opened open_session(std::uint64_t id, const SessionRequest& request, const std::string& owner);
  /// Success also when there is no such session.
  void close_session(std::uint64_t id);
  /// With a note its session is kept for `agent_back_within`; else undone.
  void owner_gone(const std::string& owner);

  /// Leaves with a session what the next agent needs to go on with it; it is not looked at. Instead
  /// of an older one.
  /// @throws RequestError InvalidArgument when it is too long, NotFound
  void leave_note(std::uint64_t id, std::vector<std::uint8_t> note);
  /// The session whose owner has gone.
  /// @throws RequestError NotFound when there is none
  Kept kept_session() const;
  /// Takes a session over: the kept one, if it is that and was set up like this; else that of which
  /// `tun` is the device: it stays as it is, with what the kernel remembers, and what is missing is
  /// made.
  /// @return  the link's name
  /// @throws RequestError, net::NetError as open_session(); then it cannot go on
  std::string adopt_session(std::uint64_t id, const SessionRequest& request,
                            const std::string& owner, tunnel::UniqueFd tun);

 private:
  struct Session {
    std::uint64_t id;
    SessionSetup setup;
    std::string owner = {};  ///< "": kept, until an agent adopts it
    std::vector<std::uint8_t> note = {};
    std::unique_ptr<PortKeeper::NoDhcp> no_dhcp = {};  ///< a master in L2
    std::variant<std::unique_ptr<MasterNetwork>, std::unique_ptr<OnsiteNetwork>,
                 std::unique_ptr<L2Network>>
        network;
  };

  SessionSetup checked(const SessionRequest& request) const;
  /// @param lent  none: a new one
  const net::TunDevice& begin_session(std::uint64_t id, const SessionSetup& setup,
                                      const std::string& owner, tunnel::UniqueFd lent);
  std::unique_ptr<MasterNetwork> make_master(const SessionSetup& setup, tunnel::UniqueFd lent);
  std::unique_ptr<OnsiteNetwork> make_onsite(const SessionSetup& setup, tunnel::UniqueFd lent);
  std::unique_ptr<L2Network> make_l2(const SessionSetup& setup, tunnel::UniqueFd lent);
  void check_l2_port(const std::string& name, bool needs_carrier);
  std::string lan_of(const SessionSetup& setup);
  static const net::TunDevice& tun_of(const Session& session);
  bool is_kept() const { return session_ && session_->owner.empty(); }
  void drop_orphans();
  void end_session(const std::string& reason);
  void watch_kernel();
  void on_kernel_events();
  void uplink_may_have_changed();
  void look_at_uplinks();
  void tell_uplink();
  void adapt_session();
  void adapt(OnsiteNetwork& network);

  tunnel::io::asio::io_context& io_;
  Config config_;
  Events events_;
  Guard guard_;
  net::LinkMonitor monitor_;  // before anything is read
  net::Netlink netlink_;
  UplinkKeeper uplinks_;
  UplinkReader uplink_reader_;
  Uplink reported_;
  tunnel::io::asio::posix::stream_descriptor kernel_events_;
  FileWatch resolv_conf_;
  tunnel::io::Timer uplink_timer_;
  bool uplink_pending_ = false;
  Role role_ = Role::none;
  std::unique_ptr<Orphans> orphans_;             // nullptr: there are none, or not any more
  std::optional<int> port_was_off_;              // its index: an earlier run was killed meanwhile
  std::unique_ptr<PortKeeper> port_;             // a master's
  std::unique_ptr<PortKeeper::NoDhcp> no_dhcp_;  // while an L2 session may be adopted
  std::optional<Session> session_;
  tunnel::io::Timer orphans_timer_, kept_timer_;
  std::shared_ptr<bool> alive_;  // shared with handlers that may run after our destruction
};

}  // namespace device
