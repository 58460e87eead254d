#pragma once
#include "base/unique_fd.hpp"
#include "config.hpp"
#include "io/asio.hpp"
#include "net/link_monitor.hpp"
#include "net/netlink.hpp"
#include "netd/file_watch.hpp"
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
class Netd {
 public:
  /// From a change to uplink_changed.
  static constexpr std::chrono::milliseconds uplink_settles{300};

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

  /// Sweeps what an earlier run left, sets up the guard and begins to watch.
  /// @throws net::NetError
  Netd(tunnel::io::asio::io_context& io, const Config& config, Events events);
  ~Netd();
  Netd(Netd&&) = delete;

  /// @throws RequestError InvalidArgument
  void set_role(const std::string& role);
  Interface interface() const;
  /// What keeps netd from its work, as one sentence: the kernel does not answer. "": nothing.
  std::string trouble() noexcept;
  /// One sentence on how it does.
  std::string status() const;
  Uplink uplink() { return uplink_reader_.read(uplinks_); }
  /// Where the server is: routed by the uplink that is chosen.
  /// @throws RequestError InvalidArgument
  void set_servers(const std::vector<std::string>& addresses);
  /// Whether the server answers by that interface.
  void report_uplink(const std::string& interface, bool answers);

  /// @param owner  bus name of the caller; owner_gone() ends its session
  /// @throws RequestError InvalidArgument, WrongRole, Busy, NoInterface
  /// @throws net::NetError when the kernel refuses; then nothing was changed
  Opened open_session(std::uint64_t id, const SessionRequest& request, const std::string& owner);
  /// Success also when there is no such session.
  void close_session(std::uint64_t id);
  void owner_gone(const std::string& owner);

 private:
  struct Session {
    std::uint64_t id;
    std::string owner;
    std::variant<std::unique_ptr<MasterNetwork>, std::unique_ptr<OnsiteNetwork>> network;
  };

  Session make_master(std::uint64_t id, const SessionSetup& setup);
  Session make_onsite(std::uint64_t id, const SessionSetup& setup);
  static const net::TunDevice& tun_of(const Session& session);
  void end_session(const std::string& reason);
  void apply_guard();
  void watch_kernel();
  void on_kernel_events();
  void uplink_may_have_changed();
  void look_at_uplinks();
  void tell_uplink();
  void adapt_session();

  tunnel::io::asio::io_context& io_;
  Config config_;
  Events events_;
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
  std::unique_ptr<PortKeeper> port_;  // a master's
  std::optional<Session> session_;
  std::shared_ptr<bool> alive_;  // shared with handlers that may run after our destruction
};

}  // namespace device
