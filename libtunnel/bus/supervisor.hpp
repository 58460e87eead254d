#pragma once
#include "io/asio.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace tunnel::bus {

/// What started us and looks after us, as systemd does for a service of `Type=notify`: it is told
/// that we are ready, how we do, that we live, and that we stop (sd_notify(3)). Without one (no
/// NOTIFY_SOCKET) nothing is sent and no timer runs.
///
/// The signs of life come from the event loop, and only while the self-check finds nothing: a loop
/// that hangs and a daemon that has lost what it works with are both restarted (`WatchdogSec=`).
class Supervisor {
 public:
  /// Asked in the event loop every `status_period`, or more often when the watchdog wants it. Both
  /// answer at once.
  struct Questions {
    /// "" while the daemon can do its work, else one sentence: why not.
    std::function<std::string()> trouble;
    /// One sentence for who reads `systemctl status`.
    std::function<std::string()> status;
  };
  static constexpr std::chrono::seconds status_period{5};
  /// So many signs of life in each WATCHDOG_USEC, so that a busy machine may swallow two.
  static constexpr int signs_per_timeout = 3;

  Supervisor(io::asio::io_context& io, Questions questions);
  Supervisor(Supervisor&&) = delete;

  /// The daemon does its work from now on. The first sign of life goes out with it.
  void ready();
  /// It ends, orderly and within its own deadline: signs of life go on, nothing is checked.
  void stopping();

 private:
  void tick();
  std::string trouble() const;
  void say(std::string status, bool alive);

  io::Timer timer_;
  Questions questions_;
  bool is_watched_;
  bool stopping_ = false;
  std::chrono::microseconds period_ = status_period;
  std::string status_;   ///< said last
  std::string trouble_;  ///< logged last
};

}  // namespace tunnel::bus
