#pragma once
#include "actions.hpp"
#include "audit/log.hpp"
#include "broker.hpp"
#include "enrolment.hpp"
#include "store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace rdv {

/// What the operator asked for cannot be done; what() is a sentence: what failed, why, what to do
/// next.
class ControlError : public std::runtime_error {
 public:
  enum class Kind { not_found, exists, invalid_argument, failed };
  ControlError(Kind kind, const std::string& why, const std::string& next = {})
      : std::runtime_error{next.empty() ? why : why + '\n' + next}, kind_{kind} {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// Counted and known by `io`, for Status.
struct ServerCounters {
  std::uint64_t handshakes = 0;     ///< finished
  std::uint64_t refused = 0;        ///< connections that did not get as far
  std::uint64_t relayed_bytes = 0;  ///< both directions, of all sessions ever
  std::vector<std::string> listen;
  AuditStatus audit;
  std::vector<std::string> alarms;  ///< what somebody must act on, a sentence each
};

/// All that an administrator can ask of the server: plain C++, used by D-Bus and tests alike. What
/// it changes is in effect when a function returns: revoked devices are cut off in the same turn of
/// the event loop.
class Control {
 public:
  struct Parts {
    Store& store;
    Broker& broker;
    Enrolment& enrolment;
    ActionSink& sink;
    std::string public_address;  ///< goes into enrolment codes
    std::size_t devices_max;
    std::function<ServerCounters()> counters;
    std::function<Now()> clocks = read_clocks;
  };
  explicit Control(Parts parts);

  struct Code {
    std::string code;
    tunnel::UnixSeconds expires = 0;
  };
  struct DeviceOptions {
    std::string site{};
    std::string system = "default";
    std::vector<std::string> allow{};
    bool l2 = false;
  };
  struct DeviceView {
    DeviceRecord record;
    std::optional<OnlineDevice> online;
    std::string busy_with;
  };
  struct StatusView {
    std::string version;
    tunnel::UnixSeconds since = 0;
    std::size_t devices = 0, online = 0, sessions = 0;
    ServerCounters counters;
    std::uint64_t memory_kb = 0;
  };

  // Each throws ControlError. `by`: who calls, for the log and the audit; "": not known.
  Code add_device(const std::string& name, const std::string& role, const DeviceOptions& options,
                  const std::string& by = {});
  Code new_code(const std::string& name, const std::string& by = {});
  std::vector<DeviceView> list_devices();
  DeviceView show_device(const std::string& name);
  void revoke_device(const std::string& name, const std::string& reason,
                     const std::string& by = {});
  /// Whether masters may join the LAN of this onsite in mode L2. A session in L2 ends when not.
  void set_l2(const std::string& name, bool allowed, const std::string& by = {});
  void remove_device(const std::string& name, const std::string& by = {});
  std::vector<Session> list_sessions() const;
  void close_session(const std::string& id, const std::string& reason, const std::string& by = {});
  StatusView status();
  /// What keeps the server from its work, as one sentence: the store cannot be read. "": nothing.
  std::string trouble();
  /// One sentence on how it does, with its alarms.
  std::string summary() const;
  std::vector<std::string> alarms() const { return parts_.counters().alarms; }
  /// @param watcher  told when there may be other alarms than before; nothing: nobody
  void watch_alarms(std::function<void()> watcher) { alarm_watcher_ = std::move(watcher); }
  void alarms_changed() const {
    if (alarm_watcher_) alarm_watcher_();
  }

 private:
  DeviceRecord record(const std::string& name);
  DeviceView view(const DeviceRecord& record) const;

  void note(Event event);

  Parts parts_;
  tunnel::UnixSeconds since_;
  std::function<void()> alarm_watcher_;
};

}  // namespace rdv
