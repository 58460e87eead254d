#pragma once
#include "alarm.hpp"
#include "audit/log.hpp"
#include "broker.hpp"
#include "config.hpp"
#include "control.hpp"
#include "enrolment.hpp"
#include "net/audit_sync.hpp"
#include "net/control_connection.hpp"
#include "net/listen_sockets.hpp"
#include "net/listener.hpp"
#include "net/relays.hpp"
#include "pki.hpp"

#include <memory>
#include <unordered_map>

namespace rdv {

/// The whole server but its D-Bus side: makes the parts from the configuration, gives events to the
/// broker and does what it wants done. One thread.
class Server final : public ActionSink, private Host, private ControlConnection::Owner {
 public:
  /// Opens store, keys and sockets; @param inherited  listening sockets of socket activation, if
  /// any
  /// @throws StartError, StoreError, tunnel::crypto::CryptoError
  Server(asio::io_context& io, const Config& config, std::vector<tunnel::UniqueFd> inherited = {});
  ~Server() override;
  Server(Server&&) = delete;

  /// Serves until stop(); then every device has been told and every connection has ended.
  Task<> run();
  /// Orderly: no new connection, Goodbye to every device. Sessions are interrupted, for the next
  /// server. Within last_words_timeout.
  void stop();

  Control& control() noexcept { return control_; }
  /// The first one listened on.
  std::uint16_t port() const { return listener_.port(); }
  std::vector<std::string> addresses() const { return listener_.addresses(); }
  /// Carries out what the broker wants.
  void run(Actions actions) override;

 private:
  struct Carrier;  // one operator() per kind of action
  Task<> serve_control(Guest guest) override;
  void on_ended(ConnectionId id, std::string why) override;
  Task<> serve_leg(Guest guest) override;
  Task<> serve_enrolment(Guest guest) override;
  Task<> serve_until_stopped();
  void set_broker_deadline();
  void keep_house();
  void on_audit_changed();
  void sync_audit();
  void on_audit_synced(std::string failure);
  std::vector<std::string> alarms() const;
  void give_memory_back();
  template <class Work>
  bool try_store(Work work);
  template <class Decision>
  void decide(Decision decision) noexcept;
  ServerCounters counters() const;

  tunnel::Bytes scratch_;
  ServerKeys keys_;
  std::unique_ptr<Store> store_;
  AuditLog audit_;
  AuditSync audit_sync_;
  Enrolment enrolment_;
  KeyIssuer issuer_;
  Broker broker_;
  Deadlines deadlines_;
  HalfOpens half_opens_;
  tunnel::crypto::TlsContext tls_;
  Relays relays_;
  Listener listener_;
  Control control_;
  Deadline broker_deadline_;
  Deadline house_deadline_;
  Deadline sync_deadline_;  // of the audit
  ControlConnection::Surroundings around_connections_;
  std::unordered_map<ConnectionId, std::unique_ptr<ControlConnection>> connections_;
  Signal connection_ended_;
  std::uint64_t last_connection_ = 0;
  std::uint64_t handshakes_before_ = 0;  ///< at the last house-keeping
  std::uint64_t trimmed_at_ = 0;         ///< handshakes when memory was last given back
  Alarm store_alarm_;
  bool stopping_ = false;
};

}  // namespace rdv
