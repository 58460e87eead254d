#pragma once
#include "base/clock.hpp"
#include "cli/device_facts.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace sdbus {
class IConnection;
class IProxy;
class Variant;
}  // namespace sdbus

namespace device::cli {

/// A call to tundev-agent failed; what() is its sentence, `name` the D-Bus error (text.hpp explains
/// it).
struct BusError : std::runtime_error {
  BusError(std::string error_name, const std::string& message)
      : std::runtime_error{message}, name{std::move(error_name)} {}
  std::string name;
};

/// A stop signal came while we waited for an answer.
struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error{"stopped"} {}
};

/// close() asked to "closed" heard.
inline constexpr std::chrono::seconds close_timeout{10};

/// org.rdv.Device1 of tundev-agent on the system bus. The only file (with its .cpp) of the commands
/// that knows sdbus-c++. Single threaded: the bus is served inside the calls, all of which have a
/// deadline.
class DeviceBus {
 public:
  enum class Woken : std::uint8_t {
    event,
    stop,
    input,
    deadline,
    agent_gone,
    agent_back,
    port_gone
  };

  /// @param stop_fd  what ends every wait when it is readable; -1: nothing. Must outlive us.
  /// @throws BusError when there is no system bus
  explicit DeviceBus(int stop_fd = -1);
  ~DeviceBus();
  DeviceBus(DeviceBus&&) = delete;

  // Each throws BusError when the agent refuses, is not there or does not answer, and Stopped.
  AgentStatus status();
  std::vector<NetworkPort> ports();
  std::vector<ListedOnsite> list();
  std::vector<RunningSession> sessions();
  /// @param interface  the only one by which the server is reached; "": as configured
  void fix_uplink(const std::string& interface);
  Enrolment enroll(const std::string& code);
  /// The session ends with our bus connection. Call watch_sessions() before.
  std::uint64_t open(const OpenRequest& request);
  /// The number of the session that open() gave at an agent that was killed since; its state comes
  /// once more as an event. Call watch_sessions() before.
  /// @param session  as "established" told it
  std::uint64_t hold(const std::string& session);
  /// The session there is, whoever holds it, goes on in this mode, for 30 s unless it is confirmed.
  /// @return its new number
  std::uint64_t switch_mode(const std::string& mode);
  void confirm_mode();
  /// Not ended by the stop descriptor: it is what a stop asks for. No error when the session has
  /// just ended by itself: its "closed" is on the way.
  void close(std::uint64_t id, const std::string& reason);

  /// From now on SessionChanged signals are kept for take_event().
  void watch_sessions();
  /// From now on wait() tells when the laptop's port goes. netd itself says so: the agent may be
  /// dead while the laptop is unplugged.
  void watch_port();
  /// Waits until there is an event, a descriptor is readable, the agent left the bus (said once,
  /// behind its last event) or has come back to it (said once), the laptop's port has gone (said
  /// once; port_gone_why() tells why), or the deadline passed.
  /// @param input_fd  besides the one for a stop; -1: there is none
  Woken wait(std::optional<tunnel::Clock::time_point> deadline, int input_fd = -1);
  /// netd's word for why the laptop's port has gone last: "unplugged", "carrier lost", "taken"; "":
  /// it has not.
  const std::string& port_gone_why() const { return port_gone_why_; }
  /// The oldest event of session `id`; events of other sessions before it are dropped.
  std::optional<SessionEvent> take_event(std::uint64_t id);

 private:
  enum class Turn : std::uint8_t { done, stop, input, deadline };
  struct Target {
    const char* interface;
    const char* method;
  };
  Turn run_until(const std::function<bool()>& done,
                 std::optional<tunnel::Clock::time_point> deadline, int stop_fd, int input_fd = -1);
  template <class Result, class... Args>
  Result call(Target target, std::chrono::seconds timeout, int stop_fd, const Args&... args);

  int stop_fd_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IProxy> agent_;
  std::unique_ptr<void, std::function<void(void*)>> agent_watch_, port_watch_;
  std::deque<SessionEvent> events_;
  bool agent_gone_ = false, agent_back_ = false, port_gone_ = false;
  std::string port_gone_why_;
};

}  // namespace device::cli
