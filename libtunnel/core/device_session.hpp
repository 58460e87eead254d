#pragma once
#include "core/session_end.hpp"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tunnel::core {

/// Who this device is, as its certificate says it.
struct DeviceIdentity {
  wire::Identity identity;
  wire::Hash key_hash{};
};

/// What the machines below need from outside to stay pure.
struct DeviceTools {
  /// True when the server's grant key signed exactly these bytes.
  std::function<bool(ByteView grant, ByteView signature)> is_signed;
  /// 32 bytes that were never used before.
  std::function<wire::Nonce()> fresh_nonce;
  /// Uniform over all 64-bit numbers.
  std::function<std::uint64_t()> random;
};

/// Send this on the control connection.
struct SendMessage {
  wire::ControlMessage message;
};
/// The server cannot serve the request now and keeps it; tell the person.
struct SessionWaits {
  std::uint64_t id = 0;
  wire::Waiting why;
};
/// The grant is good: set up the kernel and the data leg. With `grant.epoch` above 1 the session
/// was interrupted and goes on: the kernel is as it was, only the leg is new.
struct StartSession {
  std::uint64_t id = 0;
  wire::Grant grant;
  Bytes grant_bytes;            ///< exactly what was signed
  Bytes signature;              ///< of those
  wire::Info peer;              ///< what the other end told the server of itself
  Clock::time_point ends = {};  ///< the time limit; a resume never puts it off
};
/// The leg is gone, or the attempt to make a new one, and the session is kept: end what is left of
/// the leg at once, keep the kernel as it is and its packets in a KeepBuffer, tell people. A
/// StartSession of the same id follows, or SessionOver.
struct SessionInterrupted {
  std::uint64_t id = 0;
  SessionEnd why;
  bool again = false;  ///< people know already: it was the attempt to resume that failed
};
/// The session is over. Ends its leg, if it was started, and tells people once the kernel is as
/// before.
struct SessionOver {
  std::uint64_t id = 0;
  SessionEnd end;
};

using SessionAction =
    std::variant<SendMessage, SessionWaits, StartSession, SessionInterrupted, SessionOver>;
using SessionActions = std::vector<SessionAction>;

/// One session as its device sees it on the control connection (DESIGN 4). Pure: no I/O, no clock,
/// no randomness of its own.
///
///   master:  opening --Waiting--> waiting --Granted--> granted --echo--> established --> closed
///               '------------------Granted---------------^
///   onsite:  accepted --Granted--> granted --running--> established --> closed
///
/// Both, when the leg of an established session is lost:
///
///   established --lost--> interrupted --Resume--> resuming --Granted--> regranted --> established
///                           ^  ^------ offline ------'                     |
///                           '------------------- lost ---------------------'
///
/// pause() takes an established session to "interrupted" as well, where it stays, without a Resume,
/// until go_on(): its kernel's side is not there.
///
/// "Lost" is on_leg_lost(), an Interrupted of the server, or a new leg that does not come in time.
/// Resume goes out at once, later ones of the same trouble after a growing pause; while offline,
/// after the next Welcome. A session stays without a leg until `wire::resume_grace` after it was
/// interrupted, or its time limit.
///
/// Any state but closed goes to closed: Refused, Close, a local end, a deadline, a bad grant. A
/// closed session ignores everything. A control connection that breaks ends an `accepted` session
/// (its Offer is void); a master that is opening or waiting asks again on the next one; a granted
/// session lives on its data leg alone.
///
/// Invariant: each grant that is taken has a newer epoch than all before, and the nonce of the last
/// request; what stands in the kernel (parties, tunnel, allowed prefixes) is the first grant's.
class DeviceSession {
 public:
  enum class State : std::uint8_t {
    opening,
    waiting,
    accepted,
    granted,
    established,
    interrupted,
    resuming,
    regranted,
    closed
  };

  /// What a master's user asked for.
  struct Request {
    wire::Name onsite;
    wire::Mode mode = wire::Mode::l3;
    std::uint32_t seconds = 0;  ///< 0: as long as the server allows
    bool wait = true;           ///< while the onsite is offline
  };

  /// A session that was established before this process was started.
  struct Kept {
    wire::Grant grant;  ///< the newest; its signature and our part in it were checked
    Clock::time_point ends;
  };

  /// How long the server may take to answer Open, and an Accept.
  static constexpr auto answer_timeout = wire::offer_timeout + std::chrono::seconds{5};
  /// Grant to the first echo; the leg's own deadlines come earlier.
  static constexpr auto establish_timeout =
      wire::confirm_timeout + wire::echo_timeout + std::chrono::seconds{5};
  /// Ceilings of the pauses before the first Resume of a trouble, the second, ...; the last one is
  /// for all that follow. Each pause is random, at least half of its ceiling.
  static constexpr std::array resume_pauses_ms{0, 200, 500, 1000, 1000, 1000, 2000, 4000};
  /// A leg that held this long was a good one: the next loss is a new trouble.
  static constexpr auto steady_after = std::chrono::seconds{5};

  /// A master's session; `actions` gets its Open when the server is there (`request_number` not 0).
  DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                Request request);
  /// An onsite's session; call accept() next.
  DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                const wire::Offer& offer);
  /// Goes on with one: it is interrupted, and paused.
  DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools, Kept kept,
                Clock::time_point now);

  /// Master: (again) asks the server, with a fresh nonce. @param number  unique on the control
  /// connection, not 0
  SessionActions ask(std::uint32_t number, Clock::time_point now);
  /// Onsite: answers the Offer.
  SessionActions accept(Clock::time_point now);

  SessionActions on_waiting(const wire::Waiting& message, Clock::time_point now);
  SessionActions on_refused(const wire::Refused& message);
  /// @param own_networks  what the tunnel must not overlap
  SessionActions on_granted(const wire::Granted& message, std::vector<Ipv4Prefix> own_networks,
                            Clock::time_point now);
  SessionActions on_close(const wire::Close& message);
  SessionActions on_interrupted(const wire::Interrupted& message, Clock::time_point now);
  /// The server has welcomed us: an interrupted session asks for new legs.
  SessionActions on_online(Clock::time_point now);
  SessionActions on_disconnected(Clock::time_point now);

  /// Packets flow.
  void on_established(Clock::time_point now);
  /// The leg broke, or could not be made; nobody ended the session (LegEnd::is_lost). Interrupts a
  /// session that was established once, when `code` is one that new legs can cure; ends it
  /// otherwise.
  ///
  /// @param epoch  of that leg's grant; the loss of an older one is no news
  SessionActions on_leg_lost(std::uint32_t epoch, wire::CloseCode code, std::string_view detail,
                             Clock::time_point now);
  /// The kernel's side is gone for a moment: interrupts a session that was established once, and
  /// asks for no new legs until go_on(); ends it otherwise.
  SessionActions pause(wire::CloseCode code, std::string_view detail, Clock::time_point now);
  SessionActions go_on(Clock::time_point now);
  /// The other end ended it, or somebody here wants the end.
  SessionActions end(wire::CloseCode code, std::string_view detail);
  SessionActions on_deadline(Clock::time_point now);
  Clock::time_point next_deadline() const {
    return is_without_leg() ? std::min(deadline_, kept_until_) : deadline_;
  }

  std::uint64_t id() const { return id_; }
  State state() const { return state_; }
  wire::Role role() const { return self_.identity.role; }
  const wire::Name& peer() const { return peer_; }
  /// Of the last Open sent; 0 when none is waiting for an answer.
  std::uint32_t request_number() const { return request_number_; }
  /// The server's number of the session; 0 while a master does not know it.
  std::uint64_t session() const { return session_; }
  /// Of the newest grant; 0 before the first.
  std::uint32_t epoch() const { return grant_ ? grant_->epoch : 0; }
  /// Interrupted, and no grant for new legs yet.
  bool is_without_leg() const { return state_ == State::interrupted || state_ == State::resuming; }
  /// Interrupted, and not established again: people wait.
  bool is_interrupted() const { return is_without_leg() || state_ == State::regranted; }
  bool is_paused() const { return paused_; }
  /// When; only while is_interrupted().
  Clock::time_point interrupted_at() const { return interrupted_at_; }
  /// The server may have given us legs for it: to be named in Hello.
  bool is_granted() const {
    return state_ == State::granted || state_ == State::established || is_interrupted();
  }

 private:
  SessionActions close(SessionEnd end, bool tell_server);
  /// @retval wire::Errc::bad_signature and what decode_grant() and check_grant() answer
  Result<wire::Grant> check(const wire::Granted& message, std::vector<Ipv4Prefix> own_networks);
  SessionActions take(wire::Grant grant, const wire::Granted& message, State next,
                      Clock::time_point now);
  SessionActions on_regranted(const wire::Granted& message, Clock::time_point now);
  SessionActions interrupt(SessionEnd why, Clock::time_point now);
  SessionActions resume_soon(Clock::time_point now);
  /// Sends Resume, or sets the deadline at which it is to be sent: `when`, or later when there were
  /// too many within a minute.
  SessionActions resume_at(Clock::time_point when, Clock::time_point now);
  SessionActions resume(Clock::time_point now);
  SessionActions give_up(Clock::time_point now);

  std::uint64_t id_;
  const DeviceIdentity& self_;
  const DeviceTools& tools_;
  wire::Name peer_;
  Request request_;
  State state_;
  wire::Nonce nonce_{};
  std::uint32_t request_number_ = 0;
  std::uint64_t session_ = 0;
  Clock::time_point deadline_ = Clock::time_point::max();

  bool online_ = false;
  bool paused_ = false;
  std::optional<wire::Grant> grant_;  ///< the newest
  Clock::time_point ends_ = Clock::time_point::max();
  Clock::time_point established_at_{}, interrupted_at_{};
  Clock::time_point kept_until_ = Clock::time_point::max();
  std::uint32_t asked_epoch_ = 0;
  /// When the last ones were sent; a ring.
  std::array<Clock::time_point, wire::resumes_per_minute_max> resumed_at_{};
  std::size_t resumes_sent_ = 0;
  std::size_t resumes_ = 0;   ///< of this trouble
  bool is_answered_ = false;  ///< the last Resume, by a grant that was not for us
};

std::string_view to_string(DeviceSession::State state);

}  // namespace tunnel::core
