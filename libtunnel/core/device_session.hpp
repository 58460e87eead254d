#pragma once
#include "core/session_end.hpp"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

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
/// The grant is good: set up the kernel and the data leg.
struct StartSession {
  std::uint64_t id = 0;
  wire::Grant grant;
  Bytes grant_bytes;  ///< exactly what was signed
  wire::Info peer;    ///< what the other end told the server of itself
};
/// The session is over. Ends its leg, if it was started, and tells people once the kernel is as
/// before.
struct SessionOver {
  std::uint64_t id = 0;
  SessionEnd end;
};

using SessionAction = std::variant<SendMessage, SessionWaits, StartSession, SessionOver>;
using SessionActions = std::vector<SessionAction>;

/// One session as its device sees it on the control connection (DESIGN 4). Pure: no I/O, no clock,
/// no randomness of its own.
///
///   master:  opening --Waiting--> waiting --Granted--> granted --echo--> established --> closed
///               '------------------Granted---------------^
///   onsite:  accepted --Granted--> granted --running--> established --> closed
///
/// Any state but closed goes to closed: Refused, Close, a local end, a deadline, a bad grant. A
/// closed session ignores everything. A control connection that breaks ends an `accepted` session
/// (its Offer is void); a master that is opening or waiting asks again on the next one; a granted
/// session lives on its data leg alone.
class DeviceSession {
 public:
  enum class State : std::uint8_t { opening, waiting, accepted, granted, established, closed };

  /// What a master's user asked for.
  struct Request {
    wire::Name onsite;
    wire::Mode mode = wire::Mode::l3;
    std::uint32_t seconds = 0;  ///< 0: as long as the server allows
    bool wait = true;           ///< while the onsite is offline
  };

  /// How long the server may take to answer Open, and an Accept.
  static constexpr auto answer_timeout = wire::offer_timeout + std::chrono::seconds{5};
  /// Grant to the first echo; the leg's own deadlines come earlier.
  static constexpr auto establish_timeout =
      wire::confirm_timeout + wire::echo_timeout + std::chrono::seconds{5};

  /// A master's session; `actions` gets its Open when the server is there (`request_number` not 0).
  DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                Request request);
  /// An onsite's session; call accept() next.
  DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                const wire::Offer& offer);

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
  SessionActions on_disconnected(Clock::time_point now);

  /// Packets flow.
  void on_established(Clock::time_point now);
  /// The leg ended by itself, or somebody here wants the end.
  SessionActions end(wire::CloseCode code, std::string_view detail);
  SessionActions on_deadline(Clock::time_point now);
  Clock::time_point next_deadline() const { return deadline_; }

  std::uint64_t id() const { return id_; }
  State state() const { return state_; }
  wire::Role role() const { return self_.identity.role; }
  const wire::Name& peer() const { return peer_; }
  /// Of the last Open sent; 0 when none is waiting for an answer.
  std::uint32_t request_number() const { return request_number_; }
  /// The server's number of the session; 0 while a master does not know it.
  std::uint64_t session() const { return session_; }

 private:
  SessionActions close(SessionEnd end, bool tell_server);
  /// @retval wire::Errc::bad_signature and what decode_grant() and check_grant() answer
  Result<wire::Grant> check(const wire::Granted& message, std::vector<Ipv4Prefix> own_networks);

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
};

std::string_view to_string(DeviceSession::State state);

}  // namespace tunnel::core
