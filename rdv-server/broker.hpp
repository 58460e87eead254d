#pragma once
#include "actions.hpp"
#include "device_record.hpp"
#include "now.hpp"
#include "registry.hpp"
#include "session.hpp"
#include "tunnel_pool.hpp"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

#include <deque>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace rdv {

/// What TLS and TCP say of a connection whose handshake is done.
struct PeerFacts {
  tunnel::wire::Identity identity;  ///< of its certificate, which chains to our CA
  tunnel::wire::Hash key_hash{};
  std::string public_address;  ///< as we see it, without port
};

/// Keys and randomness, which the broker itself must not touch.
class Issuer {
 public:
  virtual ~Issuer() = default;
  virtual std::uint64_t random() = 0;
  /// ECDSA by the grant key over wire::grant_signature_context and `grant`; DER.
  virtual tunnel::Bytes sign_grant(tunnel::ByteView grant) = 0;
  struct Renewal {
    tunnel::Bytes certificate;  ///< PEM; empty when refused
    std::string refusal;        ///< why, for a person
  };
  /// A new certificate for the same identity and the same key.
  virtual Renewal renew(const DeviceRecord& device, tunnel::ByteView csr,
                        tunnel::UnixSeconds now) = 0;
};

struct BrokerSettings {
  std::size_t connections_max = 4'096;
  std::size_t sessions_max = 256;
  std::size_t waiting_max = 256;
  std::uint32_t session_seconds = 8 * 3600;       ///< when the master does not say
  std::uint32_t session_seconds_max = 24 * 3600;  ///< whatever it says
  std::uint32_t ping_after_seconds = 25;
  std::vector<tunnel::Ipv4Address> deny;  ///< the server's own addresses, at most own_addresses_max
};

/// Opens a master may have waiting.
inline constexpr std::size_t opens_per_master_max = 4;
/// A leg that closed waits so long for the Close or the Resume that says why; then the session is
/// interrupted. Both go the same way as the end of the leg, at the same time.
inline constexpr auto leg_close_linger = std::chrono::milliseconds{50};
/// Of a session that never stood: so long for the Close that says why; then it ends.
inline constexpr auto first_leg_close_linger = std::chrono::seconds{2};
/// No session comes so far by itself.
inline constexpr std::uint32_t epoch_max = std::uint32_t{1} << 31U;
/// Sessions that are over and whose end is remembered for a device that was away.
inline constexpr std::size_t ended_kept_max = 256;
/// Connections are looked over for silence this often.
inline constexpr auto sweep_period = std::chrono::seconds{2};

/// The decisions of all control connections and sessions. Pure: events, the time and the records of
/// devices come in, actions go out; it opens no socket, reads no clock and writes no log.
/// Single-threaded.
///
///   connection:  greeting --Hello--> ready --CloseConnection, on_disconnected()--> forgotten
///
///   open:        Open --onsite offline--> waiting --its Hello--.
///                  `-- onsite online ---------.                |
///                                             v                v
///   session:                               offered <-----------'
///                                             |---- Decline, offer_timeout, Cancel --> gone
///                                          Accept
///                                             v
///                                          granted --- attach_timeout, Close, ... ---> gone
///                                           ^ |
///                             Resume of both| |both legs
///                                           | v
///                 .-------------------------' running --- Close, limit, revoked, ... ----> gone
///                 |                            |
///            interrupted <-- a leg is gone, Resume, relay idle; of a later grant: attach_timeout
///                 `--- Close, limit, resume_grace, ... ---> gone
///
/// Each Resume of both is a round: a new grant of the same session with a higher epoch, whose legs
/// take the place of all before. A session beyond its Offer outlives the control connections of its
/// devices; a newer one names it in its Hello and takes the place of the older one.
///
/// Every message in every state is handled, ignored, or closes its connection with
/// Goodbye{protocol}; nothing a device sends trips an assertion. Numbers of connections that are
/// not known (any more) are ignored everywhere.
/// What Directory and Issuer throw becomes a Goodbye or a refusal, and a Note of server_trouble.
class Broker {
 public:
  Broker(Directory& directory, Issuer& issuer, BrokerSettings settings);
  Broker(Broker&&) = delete;

  // --- control connections ---
  /// A control connection has finished its handshake.
  Actions on_connected(ConnectionId id, const PeerFacts& peer, Now now);
  Actions on_message(ConnectionId id, const tunnel::wire::ControlMessage& message, Now now);
  /// What came is no message: Goodbye{protocol}.
  Actions on_bad_message(ConnectionId id, const boost::system::error_code& why, Now now);
  /// @param why  for the log
  Actions on_disconnected(ConnectionId id, std::string_view why, Now now);

  // --- data legs ---
  struct Attached {
    std::uint64_t session = 0;
    std::uint32_t epoch = 0;
    tunnel::wire::Role side;
  };
  struct AttachOutcome {
    std::variant<Attached, tunnel::wire::Close> leg;  ///< Close: send it in a Detach and close
    Actions actions;                                  ///< StartRelay, when this was the second leg
  };
  AttachOutcome on_attach(const PeerFacts& peer, const tunnel::wire::Attach& attach, Now now);
  /// An attached leg is gone by itself. The Close that says why may come by the control connection.
  ///
  /// @param stood  both directions of the relay had left TLS
  Actions on_leg_closed(std::uint64_t session, std::uint32_t epoch, tunnel::wire::Role side,
                        bool stood, Now now);
  /// What the relay of this epoch has carried in all.
  void on_relay_bytes(std::uint64_t session, std::uint32_t epoch, std::uint64_t from_onsite,
                      std::uint64_t from_master);
  /// The relay gave up. Bytes behind a Switch end the session, as does a hand-off that was not in
  /// time in the first epoch; a later hand-off, and a relay that carried nothing, interrupt it.
  Actions on_relay_ended(std::uint64_t session, std::uint32_t epoch, tunnel::wire::CloseCode code,
                         std::string_view text, Now now);

  // --- time ---
  /// Call at next_deadline() or earlier. The moment changes with every event.
  Actions on_tick(Now now);
  tunnel::Clock::time_point next_deadline() const;

  // --- the audit ---
  /// From now on no session is granted, for this reason (a sentence for the engineer), but those
  /// that were; "": they are granted again.
  void refuse_sessions(std::string why) { no_session_because_ = std::move(why); }

  // --- the administrator ---
  /// Its record forbids it now (revoked, removed) or has another key (enrolled anew): closes its
  /// connections and sessions.
  Actions on_device_changed(const tunnel::wire::Name& name, tunnel::wire::GoodbyeCode code,
                            std::string_view text, Now now);
  /// @return nothing when there is no such session
  std::optional<Actions> close_session(std::uint64_t session, std::string_view text, Now now);
  /// Sessions that the server before this one kept: interrupted, until their devices come back. To
  /// be called before anything else.
  Actions restore(std::vector<KeptSession> sessions, Now now);
  /// Every connection ends; devices come back spread over some seconds, those with a session at
  /// once. Sessions that were granted are interrupted.
  Actions on_shutdown(Now now);

  // --- views ---
  const Registry& registry() const { return registry_; }
  const Session* session_of(const tunnel::wire::Name& device) const;  ///< the only one it has
  const Session* find_session(std::uint64_t id) const;
  std::vector<const Session*> sessions() const;  ///< oldest first
  std::size_t connections() const { return connections_.size(); }

 private:
  struct Connection {
    ConnectionId id;
    PeerFacts peer;
    bool ready = false;
    tunnel::Clock::time_point heard;
  };
  struct Opening {
    ConnectionId control;  // the master's
    tunnel::wire::Name master;
    tunnel::wire::Open open;
  };
  /// How a session ended, for a device that was away.
  struct Ended {
    std::uint64_t session;
    tunnel::wire::Name master, onsite;
    tunnel::wire::CloseCode code;
    std::string text;
  };
  struct Dispatch;  // one operator() per message type
  using Text = std::string_view;

  // broker.cpp: connections
  std::optional<tunnel::wire::Goodbye> refuse(const PeerFacts& peer, Now now);
  tunnel::wire::Goodbye trouble(const PeerFacts& peer, const std::exception& what, Actions& out);
  void hello(Connection& from, const tunnel::wire::Hello& hello, Now now, Actions& out);
  void join(Connection& from, const tunnel::wire::Hello& hello, Now now, Actions& out);
  void renew(const Connection& from, const tunnel::wire::Renew& renew, Now now, Actions& out);
  void violate(ConnectionId id, Text what, Now now, Actions& out);
  void close_connection(ConnectionId id, tunnel::wire::Goodbye goodbye,
                        tunnel::wire::CloseCode code, Now now, Actions& out);
  void forget(ConnectionId id, tunnel::wire::CloseCode code, Text text, Now now, Actions& out);
  void sweep(Now now, Actions& out);

  // broker_open.cpp: from Open to Grant
  void list(const Connection& from, const tunnel::wire::List& list, Actions& out);
  tunnel::wire::ListedDevice listed(const DeviceRecord& device,
                                    const std::map<tunnel::wire::Name, const Session*>& busy) const;
  void open(const Connection& from, const tunnel::wire::Open& open, Now now, Actions& out);
  void consider(const Opening& opening, Now now, Actions& out);
  void wait(const Opening& opening, tunnel::UnixSeconds last_seen, Actions& out);
  void offer(const Opening& opening, const OnlineDevice& onsite, Text rule, Now now, Actions& out);
  /// @param rule  of the policy that decided; "": the code says it
  void refuse_open(const Opening& opening, tunnel::wire::RefusalCode code, std::string text,
                   Actions& out, Text rule = {});
  void refuse_waiting(const tunnel::wire::Name& onsite, tunnel::wire::RefusalCode code, Text text,
                      Actions& out);
  void wake_waiting(const tunnel::wire::Name& onsite, Now now, Actions& out);
  std::uint64_t new_session_id();

  // broker_grant.cpp: the answer to an Offer
  void accept(const Connection& from, const tunnel::wire::Accept& accept, Now now, Actions& out);
  void decline(const Connection& from, const tunnel::wire::Decline& decline, Now now, Actions& out);
  void cancel(const Connection& from, std::uint32_t request, Now now, Actions& out);
  void give_up_offer(std::uint64_t session, tunnel::wire::RefusalCode code, std::string text,
                     Actions& out, Text rule = {});
  std::optional<tunnel::wire::Grant> make_grant(const Session& session,
                                                const tunnel::wire::Nonce& onsite_nonce, Now now,
                                                std::string& why_not);
  std::string add_routing(tunnel::wire::Grant& grant, const DeviceRecord& onsite,
                          const tunnel::wire::Info& onsite_info,
                          const tunnel::wire::Info& master_info);

  // broker_session.cpp: from Grant to the end
  void close(const Connection& from, const tunnel::wire::Close& close, Now now, Actions& out);
  std::string attach_refusal(const Session& session, const PeerFacts& peer,
                             const tunnel::wire::Attach& attach, Now now);
  void begin(Session& session, Now now, Actions& out);
  void lose_control(ConnectionId control, tunnel::wire::CloseCode code, Text text, Now now,
                    Actions& out);
  void give_up_onsite(Session& session, tunnel::wire::CloseCode code, std::string why, Now now,
                      Actions& out);
  Session take_out(Session& entry);
  void end(std::uint64_t session, tunnel::wire::CloseCode code, std::string text, Now now,
           Actions& out);
  void end_of_time(Session& session, Now now, Actions& out);

  // broker_resume.cpp: interruptions
  void interrupt(Session& session, std::string why, Now now, Actions& out);
  void tell_interrupted(const Session& session, Actions& out);
  void resume(const Connection& from, const tunnel::wire::Resume& resume, Now now, Actions& out);
  void regrant(Session& session, Now now, Actions& out);
  std::optional<Ended> why_no_resume(const Session& session);
  bool proves_itself(const PeerFacts& peer, const std::vector<std::uint64_t>& held) const;
  void claim(const Connection& from, const std::vector<std::uint64_t>& held, Now now, Actions& out);
  void remember(Ended ended);
  void tell_over(const Connection& from, std::uint64_t session, Actions& out);
  std::set<ConnectionId> keep_for_the_next_server(Now now, Actions& out);
  bool restore(const KeptSession& kept, Now now, Actions& out);
  static KeptSession kept(const Session& session, const tunnel::wire::Grant& grant);

  Directory& directory_;
  Issuer& issuer_;
  BrokerSettings settings_;
  Registry registry_;
  std::unordered_map<ConnectionId, Connection> connections_;  // at most connections_max
  std::list<Opening> waiting_;                                // at most waiting_max, oldest first
  std::map<std::uint64_t, Session> sessions_;                 // at most sessions_max
  std::deque<Ended> ended_;                                   // at most ended_kept_max
  TunnelPool pool_;
  std::string no_session_because_;
  tunnel::Clock::time_point next_sweep_ = tunnel::Clock::time_point::max();
};

}  // namespace rdv
