#pragma once
#include "agent/control_link.hpp"
#include "agent/dial.hpp"
#include "agent/identity.hpp"
#include "core/device_control.hpp"
#include "core/reconnect.hpp"

#include <functional>
#include <optional>
#include <string>

namespace device {

/// Keeps this device connected to its server: dial, authenticate, greet, talk, and again, for ever
/// (core::Reconnect says when). The decisions are core::DeviceControl's; its actions go to
/// `on_actions`.
class Uplink {
 public:
  struct Events {
    std::function<void(tunnel::core::ControlActions)> actions;
    std::function<void()> status_changed;
    std::function<wire::Info()> info;  ///< what we tell of ourselves, now
  };

  Uplink(asio::any_io_executor executor, tunnel::core::DeviceControl& control,
         const Identity& identity, Dialler dialler, Events events);

  /// Runs until stop().
  Task<> run();
  /// Ends run() soon: what is queued is sent first.
  void stop();
  /// The network changed: try again now rather than later. A connection that there is goes on if
  /// it still leaves by the same address, and is asked for a sign of life; else it is made anew.
  void on_network_changed();
  /// An interrupted session waits for the server, or no longer: short attempts, short pauses, and
  /// a connection that there is must prove itself.
  void set_impatient(bool impatient);

  // What the actions of DeviceControl ask for.
  void send(const wire::ControlMessage& message);
  void on_online(const wire::Welcome& welcome);
  void on_goodbye(const wire::Goodbye& goodbye);
  void drop(std::string why);

  /// As configured: one, or several with ", " between them.
  const std::string& server() const { return dialler_.servers(); }
  /// How the connection goes that we have now, or had last: a session's legs go the same.
  const Way& way() const { return way_; }
  /// The address that a connection to the server would leave by now; nothing: there is no way, or
  /// it is not known where to.
  std::optional<asio::ip::address> source_address() const;
  bool is_online() const { return online_; }
  /// One sentence for a person.
  const std::string& status() const { return status_; }
  /// The server's time less ours, now: our clock may have jumped since the server told us its time.
  std::chrono::seconds clock_offset() const;
  /// False when our clock is so wrong that the dates of certificates say nothing.
  bool clock_is_good() const;

 private:
  Task<std::string> connect_once();
  void say(std::string status);
  std::string way_text() const;
  bool clock_is_impossible() const;
  Clock::duration dial_time() const;
  Clock::duration pause();

  asio::any_io_executor executor_;
  tunnel::core::DeviceControl& control_;
  const Identity& identity_;
  Dialler dialler_;
  Way way_;
  Events events_;
  tunnel::core::Reconnect reconnect_;
  Wakeup retry_;
  std::optional<ControlLink> link_;
  bool online_ = false;
  bool stopping_ = false;
  bool impatient_ = false;
  bool retry_at_once_ = false;     ///< the network changed under our connection
  bool reached_ = false;           ///< the last attempt found somebody
  bool is_login_refused_ = false;  ///< by the proxy, at the last attempt
  bool clock_is_wrong_;
  bool retry_without_dates_ = false;
  struct ServerTime {
    tunnel::UnixSeconds time;
    Clock::time_point at;
  };
  std::optional<ServerTime> told_;  ///< by the last Welcome
  bool dates_were_checked_ = true;  ///< at the last handshake
  Clock::time_point last_attempt_{};
  std::string status_;
  std::string goodbye_;  ///< the server's own words on why not
};

}  // namespace device
