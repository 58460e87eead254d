#include "net/server.hpp"

#include "base/log.hpp"
#include "own_addresses.hpp"
#include "sqlite_store.hpp"

#include <cstdlib>
#include <malloc.h>

namespace rdv {

namespace log = tunnel::log;
namespace wire = tunnel::wire;
using namespace std::chrono_literals;

namespace {

constexpr auto house_period = 2s;
/// The audit's records of so long go to the disk together.
constexpr auto sync_period = 100ms;
/// Each session that runs has one more record to come, its end, of at most so much as a rule.
constexpr std::uint64_t session_end_bytes = 512;
constexpr std::uint64_t other_records_bytes = 64 * 1024;
/// So many handshakes leave the heap full of holes (measured: 13.6 KB for each connection that
/// stays).
constexpr std::uint64_t storm_handshakes = 64;

/// systemd says where the credentials of the unit are (systemd.exec(5)).
ServerKeys keys_of(const Config& config) try {
  const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
  return load_keys(StatePaths{config.state_dir}, credentials == nullptr ? "" : credentials);
} catch (const std::system_error& error) {
  throw StartError{std::string{"cannot read the server's keys and certificates: "} + error.what(),
                   "make them, once, with: rdvctl init"};
}

BrokerSettings broker_settings(const Config& config) {
  return {.connections_max = config.limits.connections,
          .sessions_max = config.limits.sessions,
          .waiting_max = config.limits.waiting,
          .session_seconds = config.limits.session_seconds,
          .session_seconds_max = config.limits.session_seconds_max,
          .ping_after_seconds = config.limits.ping_after_seconds,
          .deny = own_addresses(config)};
}

AuditFiles::Settings audit_settings(const Config& config) {
  return {.folder = audit_dir(config),
          .file_bytes_max = std::uint64_t{config.audit.file_mb} * 1'000'000,
          .room_bytes = other_records_bytes + config.limits.sessions * session_end_bytes};
}

tunnel::Result<PeerFacts> facts_of(const Guest& guest) {
  const auto peer = tunnel::crypto::tls_peer(guest.socket.ssl());
  if (!peer) return peer.error();
  return PeerFacts{peer->identity, peer->key_hash, guest.address};
}

/// OpenSSL keeps the certificate that the peer showed, parsed, as long as the connection lives, and
/// its public key is the largest part of it (measured: 2.0 KiB for each idle device). Once the hash
/// of that key is taken nobody asks for it again, since a connection authenticates once: all
/// connections then share one key in its place, ours. Must not be called before tls_peer() was.
void forget_peer_key(SSL* ssl, EVP_PKEY* placeholder) {
  if (auto* certificate = ::SSL_get0_peer_certificate(ssl))
    ::X509_set_pubkey(certificate, placeholder);
}

}  // namespace

Server::Server(asio::io_context& io, const Config& config, std::vector<tunnel::UniqueFd> inherited)
    : scratch_(scratch_bytes),
      keys_{keys_of(config)},
      store_{open_sqlite_store(StatePaths{config.state_dir}.store)},
      audit_{audit_settings(config), config.audit.when_full, *store_,
             [this] { on_audit_changed(); }},
      audit_sync_{io.get_executor(),
                  [this](std::string failure) { on_audit_synced(std::move(failure)); }},
      enrolment_{*store_, keys_.authority, keys_.grant_key.public_pem()},
      issuer_{keys_.grant_key, enrolment_},
      broker_{*store_, issuer_, broker_settings(config)},
      deadlines_{io.get_executor()},
      half_opens_{io.get_executor(), deadlines_, config.limits.half_open,
                  config.limits.half_open_per_address},
      tls_{tunnel::crypto::TlsContext::server({keys_.server_key, keys_.server},
                                              keys_.authority.certificate())},
      relays_{{.idle = std::chrono::seconds{config.limits.relay_idle_seconds}},
              {io.get_executor(), deadlines_, scratch_, broker_, *this}},
      listener_{open_listen_sockets(io.get_executor(), config.listen, std::move(inherited)), tls_,
                half_opens_, *this},
      control_{{.store = *store_,
                .broker = broker_,
                .enrolment = enrolment_,
                .sink = *this,
                .public_address = config.public_address,
                .devices_max = config.limits.devices,
                .counters = [this] { return counters(); }}},
      broker_deadline_{deadlines_,
                       [this] { decide([&] { return broker_.on_tick(read_clocks()); }); }},
      house_deadline_{deadlines_, [this] { keep_house(); }},
      sync_deadline_{deadlines_, [this] { sync_audit(); }},
      around_connections_{broker_, *this, deadlines_, scratch_, *this},
      connection_ended_{io.get_executor()} {
  house_deadline_.expires_after(house_period);
  const bool in_order = audit_.open();
  run({Note{{.kind = Event::Kind::server_started,
             .text = in_order ? "version " RDV_VERSION
                              : "version " RDV_VERSION ", after one that did not stop in order"}}});
  run(broker_.restore(store_->kept_sessions(), read_clocks()));
}

Server::~Server() = default;

Task<> Server::run() {
  using asio::experimental::awaitable_operators::operator&&;
  co_await (serve_until_stopped() && deadlines_.run());
}

Task<> Server::serve_until_stopped() {
  co_await listener_.run();
  while (!connections_.empty())
    co_await connection_ended_.wait();
  run({Note{{.kind = Event::Kind::server_stopped}}});
  keep_house();
  try_store([&] { audit_.close(); });
  deadlines_.stop();
}

void Server::stop() {
  if (std::exchange(stopping_, true)) return;
  listener_.stop();
  decide([&] { return broker_.on_shutdown(read_clocks()); });
}

/// Does one action; by value, since what it does may lead to anything.
struct Server::Carrier {
  Server& server;

  ControlConnection* connection(ConnectionId id) const {
    const auto found = server.connections_.find(id);
    return found == server.connections_.end() ? nullptr : found->second.get();
  }
  void operator()(const SendTo& to) const {
    if (auto* connection = this->connection(to.connection)) connection->send(to.message);
  }
  void operator()(const CloseConnection& close) const {
    if (auto* connection = this->connection(close.connection)) connection->close(close.goodbye);
  }
  void operator()(const StartRelay&) const {
  }  // the relay is there since the first leg and starts by itself
  void operator()(const StopRelay& stop) const {
    server.relays_.stop(stop.session, stop.code, stop.text);
  }
  void operator()(const KeepSession& keep) const {
    server.try_store([&] { server.store_->keep(keep.session); });
  }
  void operator()(const DropSession& drop) const {
    server.try_store([&] { server.store_->drop(drop.session); });
  }
  void operator()(Note note) const {
    if (note.event.kind == Event::Kind::closed) {
      // Its relays are stopped only by what follows.
      const auto more = server.relays_.unreported(note.event.session);
      note.event.from_onsite_bytes += more.from_onsite;
      note.event.from_master_bytes += more.from_master;
    }
    log_event(note.event);
    server.audit_.note(note.event);
  }
};

/// For what the server can do without: a disk that is full ends no session. The store keeps what it
/// could not write, and house-keeping tries again.
template <class Work>
bool Server::try_store(Work work) {
  try {
    work();
    return true;
  } catch (const StoreError& error) {
    if (store_alarm_.raise(error.what())) {
      log::error("the store cannot be written", {log::reason(error.what())});
      control_.alarms_changed();
    }
    return false;
  }
}

void Server::run(Actions actions) {
  for (const auto& action : actions)
    std::visit(Carrier{*this}, action);
  set_broker_deadline();
  if (audit_.needs_sync() && sync_deadline_.expiry() == tunnel::Clock::time_point::max())
    sync_deadline_.expires_after(sync_period);
}

/// For events that no connection answers for: what the store cannot do is logged, and the server
/// goes on.
template <class Decision>
void Server::decide(Decision decision) noexcept {
  try {
    run(decision());
  } catch (const std::exception& error) {
    log::error("cannot act on an event", {log::reason(error.what())});
    broker_deadline_.expires_after(1s);  // not at once: the cause may last
  }
}

void Server::set_broker_deadline() {
  const auto next = broker_.next_deadline();
  if (next != broker_deadline_.expiry()) broker_deadline_.expires_at(next);
}

Task<> Server::serve_control(Guest guest) {
  const auto facts = facts_of(guest);
  if (!facts) co_return;
  forget_peer_key(guest.socket.ssl(), keys_.server_key.get());
  const ConnectionId id{++last_connection_};
  auto actions = broker_.on_connected(id, *facts, read_clocks());
  connections_
      .emplace(id, std::make_unique<ControlConnection>(id, std::move(guest), around_connections_))
      .first->second->start();
  run(std::move(actions));
}

void Server::on_ended(ConnectionId id, std::string why) {
  connections_.erase(id);
  connection_ended_.notify();
  decide([&] { return broker_.on_disconnected(id, why, read_clocks()); });
}

Task<> Server::serve_leg(Guest guest) {
  const auto facts = facts_of(guest);
  if (!facts) co_return;
  wire::FrameReader reader{wire::Channel::data};
  const auto frame = co_await read_frame(guest.socket, reader, scratch_);
  if (!frame || frame->type != wire::FrameType::attach) co_return;
  const auto attach = wire::decode_attach(frame->payload);
  if (!attach) co_return;
  auto outcome = broker_.on_attach(*facts, *attach, read_clocks());
  if (const auto* refusal = std::get_if<wire::Close>(&outcome.leg)) {
    run(std::move(outcome.actions));
    co_await say_last(guest.socket, wire::encode_detach(*refusal), deadlines_, scratch_);
    co_return;
  }
  guest.half_open.reset();
  co_await relays_.carry(std::get<Broker::Attached>(outcome.leg), std::move(guest.socket),
                         std::move(reader), std::move(outcome.actions));
}

Task<> Server::serve_enrolment(Guest guest) {
  wire::FrameReader reader{wire::Channel::enroll};
  const auto frame = co_await read_frame(guest.socket, reader, scratch_);
  if (!frame) co_return;
  const auto message = wire::decode_enroll(frame->type, frame->payload);
  const auto* request = message ? std::get_if<wire::Enroll>(&*message) : nullptr;
  if (request == nullptr) co_return;
  const auto outcome = enrolment_.enroll(*request, guest.address, tunnel::unix_now());
  run({Note{outcome.event}});
  if (outcome.enrolled)
    run(broker_.on_device_changed(*outcome.enrolled, wire::GoodbyeCode::wrong_key,
                                  "the device was enrolled anew", read_clocks()));
  co_await say_last(guest.socket, wire::encode(outcome.reply), deadlines_, scratch_);
}

void Server::keep_house() {
  relays_.report_bytes();
  const bool wrote = try_store([&] { store_->write_pending(); });
  const bool noted = try_store([&] { audit_.keep_house(); });
  if (wrote && noted && store_alarm_.clear()) {
    log::info("the store is written again");
    control_.alarms_changed();
  }
  give_memory_back();
  run({});
  house_deadline_.expires_after(house_period);
}

void Server::on_audit_changed() {
  broker_.refuse_sessions(audit_.refusal());
  control_.alarms_changed();
}

void Server::sync_audit() {
  if (auto file = audit_.begin_sync()) audit_sync_.start(std::move(file));
}

void Server::on_audit_synced(std::string failure) {
  const bool failed = !failure.empty();
  audit_.end_sync(std::move(failure));
  if (!failed) run({});  // more may have been recorded meanwhile
}

std::vector<std::string> Server::alarms() const {
  std::vector<std::string> all;
  if (auto trouble = audit_.status().trouble; !trouble.empty())
    all.push_back("the audit cannot be written: " + trouble);
  if (!store_alarm_.why().empty())
    all.push_back("the store cannot be written: " + store_alarm_.why());
  return all;
}

/// Once a storm of handshakes is over, or goes on for long.
void Server::give_memory_back() {
  const auto handshakes = listener_.counters().handshakes;
  const bool quiet = handshakes == std::exchange(handshakes_before_, handshakes);
  if (handshakes - trimmed_at_ < (quiet ? 1 : storm_handshakes)) return;
  trimmed_at_ = handshakes;
  ::malloc_trim(0);
}

ServerCounters Server::counters() const {
  return {.handshakes = listener_.counters().handshakes,
          .refused = listener_.counters().refused,
          .relayed_bytes = relays_.carried_bytes(),
          .listen = listener_.addresses(),
          .audit = audit_.status(),
          .alarms = alarms()};
}

}  // namespace rdv
