#pragma once
#include "core/device_session.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tunnel::core {

using boost::system::error_code;

/// The server has taken us.
struct Online {
  wire::Welcome welcome;
};
/// The whole answer to a List.
struct Listed {
  std::uint32_t request = 0;
  std::vector<wire::ListedDevice> devices;
};
/// Store it: the server gave us a new certificate. PEM.
struct CertificateRenewed {
  Bytes certificate;
};
/// The server ends the connection, and says why.
struct ServerSaidGoodbye {
  wire::Goodbye goodbye;
};
/// The server broke the protocol; close the connection.
struct DropConnection {
  error_code why;
};
/// An onsite's session begins; tell people.
struct SessionOffered {
  std::uint64_t id = 0;
  wire::Name master;
  wire::Mode mode = wire::Mode::l3;
};

using ControlAction =
    std::variant<SendMessage, SessionWaits, StartSession, SessionInterrupted, SessionOver, Online,
                 Listed, CertificateRenewed, ServerSaidGoodbye, DropConnection, SessionOffered>;
using ControlActions = std::vector<ControlAction>;

/// A device on `rdv-control/1`, over all its connections: what each message means in each state.
/// Pure.
///
///   offline --on_connected/Hello--> greeting --Welcome--> online
///      ^---------------- on_disconnected ------------------'
///
/// | message                               | greeting | online | | Welcome | online   | drop | |
/// Goodbye                               | goodbye  | goodbye | | Ping, Pong | drop     | answered,
/// ignored                                       | | Listing, Waiting, Refused             | drop
/// | master: to its request, ignored when unknown; onsite: drop | | Offer | drop     | onsite:
/// Accept or Decline; master: drop                 | | Granted                               | drop
/// | to its session; unknown: answered with Close            | | Close | drop     | to its session;
/// unknown: ignored                        | | Renewed                               | drop     |
/// stored when asked for, else ignored                     | | what only devices send | drop     |
/// drop                                                    |
///
/// Close and Interrupted: alike. Granted with request 0: to the session that is resuming.
///
/// Hello names the session that is granted, and the one whose end the server does not know yet;
/// after Welcome follow the Close of the latter and the Resume of an interrupted one.
///
/// At most one session at a time. Invariant: `session()` is never in State::closed.
class DeviceControl {
 public:
  enum class State : std::uint8_t { offline, greeting, online };

  /// A server lists at most this many; more is a broken one.
  static constexpr std::size_t listed_devices_max = 100'000;
  /// Lists in progress at once; the oldest is forgotten.
  static constexpr std::size_t lists_max = 8;

  DeviceControl(DeviceIdentity self, DeviceTools tools)
      : self_{std::move(self)}, tools_{std::move(tools)} {}
  DeviceControl(const DeviceControl&) = delete;  // the session refers to us
  DeviceControl& operator=(const DeviceControl&) = delete;

  ControlActions on_connected(wire::Info info);
  ControlActions on_disconnected(Clock::time_point now);
  ControlActions on_message(const wire::ControlMessage& message, Clock::time_point now);
  ControlActions on_info(wire::Info info);
  ControlActions on_deadline(Clock::time_point now);
  Clock::time_point next_deadline() const;

  /// Why an onsite cannot take a session now, for the master's user; "" when it can.
  void set_unready(std::string why) { unready_ = std::move(why); }
  /// Whether an onsite's customer lets a master's laptop into his network in mode L2.
  void set_allows_l2(bool allows) { allows_l2_ = allows; }
  /// Beyond the LAN of our Info: networks that a session's tunnel must not overlap.
  void set_networks(std::vector<Ipv4Prefix> networks) { networks_ = std::move(networks); }

  /// Master: asks for a session, now or when the server is there. Only while there is none.
  /// @param id  the new session's local number, never used before
  ControlActions open(std::uint64_t id, DeviceSession::Request request, Clock::time_point now);
  /// Only while online. @param request  gets the number of the answer
  ControlActions list(std::uint32_t& request);
  ControlActions renew(Bytes csr);
  /// Ends session `id`, if that is the one there is.
  ControlActions end(std::uint64_t id, wire::CloseCode code, std::string_view detail);
  /// The leg of session `id` broke, or could not be made, and nobody ended the session
  /// (LegEnd::is_lost): answers SessionInterrupted, and Resume now or after the next Welcome, when
  /// new legs can cure it, and SessionOver otherwise. Nothing when that is known already.
  ///
  /// @param epoch  of that leg's grant
  ControlActions on_leg_lost(std::uint64_t id, std::uint32_t epoch, wire::CloseCode code,
                             std::string_view detail, Clock::time_point now);
  void on_established(std::uint64_t id, Clock::time_point now);

  /// Goes on with a session that was established before this process was started: its Hello names
  /// it. It is paused. Only while there is none. @param id  its local number, never used before
  void adopt(std::uint64_t id, DeviceSession::Kept kept, Clock::time_point now);
  /// The same for an onsite. @return the local number
  std::uint64_t next_offered_id() { return ++last_offered_id_; }
  /// DeviceSession::pause() and go_on() for session `id`, if that is the one there is.
  ControlActions pause(std::uint64_t id, wire::CloseCode code, std::string_view detail,
                       Clock::time_point now);
  ControlActions go_on(std::uint64_t id, Clock::time_point now);

  State state() const { return state_; }
  const std::optional<DeviceSession>& session() const { return session_; }
  const DeviceIdentity& self() const { return self_; }

 private:
  struct ListInProgress {
    std::uint32_t request;
    std::vector<wire::ListedDevice> devices;
  };

  ControlActions on_greeting(const wire::ControlMessage& message);
  ControlActions on_online(const wire::Listing& message);
  ControlActions on_online(const wire::Waiting& message, Clock::time_point now);
  ControlActions on_online(const wire::Refused& message);
  ControlActions on_online(const wire::Offer& message, Clock::time_point now);
  ControlActions on_online(const wire::Granted& message, Clock::time_point now);
  ControlActions on_online(const wire::Close& message);
  ControlActions on_online(const wire::Interrupted& message, Clock::time_point now);
  ControlActions on_welcomed(Clock::time_point now);
  ControlActions on_online(const wire::Renewed& message);
  /// The session's answer becomes ours; a closed session leaves its place.
  ControlActions take(SessionActions actions);
  bool is_master() const { return self_.identity.role == wire::Role::master; }
  bool is_asked(std::uint32_t request) const;
  std::uint32_t next_request();

  DeviceIdentity self_;
  DeviceTools tools_;
  State state_ = State::offline;
  wire::Info info_;
  bool info_told_ = false;  ///< the server has `info_`, or gets it with Hello
  std::string unready_;
  bool allows_l2_ = true;
  std::vector<Ipv4Prefix> networks_;
  std::optional<DeviceSession> session_;
  /// Of a session that ended while there was no server: it hears it after its next Welcome.
  std::optional<wire::Close> unsaid_;
  std::vector<ListInProgress> lists_;
  std::uint32_t last_request_ = 0;
  std::uint64_t last_offered_id_ = std::uint64_t{1} << 32U;  ///< onsite's local numbers
  bool renewing_ = false;
};

}  // namespace tunnel::core
