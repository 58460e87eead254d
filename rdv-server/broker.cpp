#include "broker.hpp"

#include "policy.hpp"
#include "utc.hpp"

#include <fmt/format.h>

#include <utility>

namespace rdv {

using tunnel::Clock;
using tunnel::wire::CloseCode;
using tunnel::wire::Goodbye;
using tunnel::wire::GoodbyeCode;
using tunnel::wire::Name;
using tunnel::wire::RefusalCode;

namespace wire = tunnel::wire;

namespace {

using namespace std::chrono_literals;

/// Devices that were sent away by overload or a shutdown come back spread over this time.
constexpr auto spread = 5'000ms;
constexpr auto overload_pause = 10'000ms;
/// Those whose session goes on at the next server.
constexpr auto spread_with_session = 500ms;

std::uint32_t milliseconds(Clock::duration time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

Goodbye goodbye(GoodbyeCode code, std::string text, Clock::duration retry_after = 0ms) {
  return {.code = code, .text = std::move(text), .retry_after_ms = milliseconds(retry_after)};
}

}  // namespace

/// What each message does; those that only a server sends break the protocol.
struct Broker::Dispatch {
  Broker& broker;
  Connection& from;
  Now now;
  Actions& out;

  void operator()(const wire::Hello&) const { violate("a second Hello"); }
  void operator()(const wire::Ping& ping) const {
    out.push_back(SendTo{from.id, wire::Pong{.token = ping.token}});
  }
  void operator()(const wire::Pong&) const {}  // it was heard, that is all
  void operator()(const wire::InfoUpdate& update) const {
    broker.registry_.update_info(from.peer.identity.name, update.info);
  }
  void operator()(const wire::List& list) const { broker.list(from, list, out); }
  void operator()(const wire::Open& open) const { broker.open(from, open, now, out); }
  void operator()(const wire::Cancel& cancel) const {
    broker.cancel(from, cancel.request, now, out);
  }
  void operator()(const wire::Accept& accept) const { broker.accept(from, accept, now, out); }
  void operator()(const wire::Decline& decline) const { broker.decline(from, decline, now, out); }
  void operator()(const wire::Close& close) const { broker.close(from, close, now, out); }
  void operator()(const wire::Renew& renew) const { broker.renew(from, renew, now, out); }
  void operator()(const wire::Goodbye& goodbye) const {
    out.push_back(CloseConnection{from.id, std::nullopt});
    broker.forget(from.id, CloseCode::shutdown, goodbye.text, now, out);
  }
  void operator()(const wire::Interrupted&) const { violate("an Interrupted from a device"); }
  void operator()(const wire::Resume& resume) const { broker.resume(from, resume, now, out); }
  void operator()(const wire::Welcome&) const { violate("a Welcome from a device"); }
  void operator()(const wire::Listing&) const { violate("a Listing from a device"); }
  void operator()(const wire::Waiting&) const { violate("a Waiting from a device"); }
  void operator()(const wire::Refused&) const { violate("a Refused from a device"); }
  void operator()(const wire::Offer&) const { violate("an Offer from a device"); }
  void operator()(const wire::Granted&) const { violate("a Granted from a device"); }
  void operator()(const wire::Renewed&) const { violate("a Renewed from a device"); }

 private:
  void violate(Text what) const { broker.violate(from.id, what, now, out); }
};

Broker::Broker(Directory& directory, Issuer& issuer, BrokerSettings settings)
    : directory_{directory}, issuer_{issuer}, settings_{std::move(settings)} {}

Actions Broker::on_connected(ConnectionId id, const PeerFacts& peer, Now now) {
  Actions out;
  std::optional<Goodbye> refusal;
  try {
    refusal = refuse(peer, now);
  } catch (const std::exception& e) {
    refusal = trouble(peer, e, out);
  }
  if (refusal) {
    out.push_back(Note{{.kind = Event::Kind::connection_refused,
                        .device = peer.identity.name.str(),
                        .address = peer.public_address,
                        .code = std::string{to_string(refusal->code)},
                        .text = refusal->text}});
    out.push_back(CloseConnection{id, std::move(refusal)});
    return out;
  }
  connections_.insert_or_assign(
      id, Connection{.id = id, .peer = peer, .ready = false, .heard = now.steady});
  next_sweep_ = std::min(next_sweep_, now.steady + sweep_period);
  return out;
}

/// The store or a key failed us: the device is sent away for a while, somebody has to look.
Goodbye Broker::trouble(const PeerFacts& peer, const std::exception& what, Actions& out) {
  out.push_back(Note{{.kind = Event::Kind::server_trouble,
                      .device = peer.identity.name.str(),
                      .text = what.what()}});
  return goodbye(GoodbyeCode::overloaded, "the server is in trouble; its log says why",
                 overload_pause + spread / 2);
}

std::optional<Goodbye> Broker::refuse(const PeerFacts& peer, Now now) {
  const auto& name = peer.identity.name;
  const auto record = directory_.find(name);
  if (!record)
    return goodbye(GoodbyeCode::unknown_device,
                   fmt::format("{} is not registered here", name.str()));
  if (record->state == DeviceState::revoked)
    return goodbye(GoodbyeCode::revoked,
                   fmt::format("{} was revoked at {}", name.str(), format_utc(record->revoked_at)));
  if (record->key_hash != peer.key_hash || record->identity() != peer.identity)
    return goodbye(
        GoodbyeCode::wrong_key,
        fmt::format("the certificate is not the one {} was last enrolled with", name.str()));
  if (const auto left = registry_.quarantined(name, now.steady); left > Clock::duration::zero())
    return goodbye(GoodbyeCode::quarantined,
                   fmt::format("two devices use the identity of {}; both are kept out", name.str()),
                   left);
  if (connections_.size() >= settings_.connections_max)
    return goodbye(GoodbyeCode::overloaded, "the server has all the devices it can serve",
                   overload_pause + spread * (issuer_.random() % 1024) / 1024);
  return std::nullopt;
}

Actions Broker::on_message(ConnectionId id, const wire::ControlMessage& message, Now now) {
  Actions out;
  const auto it = connections_.find(id);
  if (it == connections_.end()) return out;
  auto& from = it->second;
  from.heard = now.steady;
  try {
    if (from.ready) {
      std::visit(Dispatch{*this, from, now, out}, message);
    } else if (const auto* greeting = std::get_if<wire::Hello>(&message)) {
      hello(from, *greeting, now, out);
    } else {
      violate(id, "something came before Hello", now, out);
    }
  } catch (const std::exception& e) {
    // Directory and Issuer are asked before anything is changed, or what was changed ends with the
    // connection.
    if (const auto still = connections_.find(id); still != connections_.end())
      close_connection(id, trouble(still->second.peer, e, out), CloseCode::network, now, out);
  }
  return out;
}

void Broker::hello(Connection& from, const wire::Hello& hello, Now now, Actions& out) {
  const auto version = std::min(hello.version_max, wire::version_max);
  const bool in_common = version >= std::max(hello.version_min, wire::version_min);
  if (!in_common) {
    const auto text =
        fmt::format("the server speaks versions {} to {}, the device {} to {}", wire::version_min,
                    wire::version_max, hello.version_min, hello.version_max);
    close_connection(from.id, goodbye(GoodbyeCode::unsupported_version, text, overload_pause),
                     CloseCode::protocol, now, out);
    return;
  }
  // The record may have changed since the handshake.
  if (auto refusal = refuse(from.peer, now); refusal && refusal->code != GoodbyeCode::overloaded) {
    close_connection(from.id, std::move(*refusal), CloseCode::revoked, now, out);
    return;
  }
  const auto& identity = from.peer.identity;
  out.push_back(SendTo{from.id, wire::Welcome{.version = version,
                                              .ping_after_seconds = settings_.ping_after_seconds,
                                              .server_time = now.unix,
                                              .system = identity.system,
                                              .name = identity.name,
                                              .role = identity.role,
                                              .public_address = from.peer.public_address}});
  join(from, hello, now, out);
}

void Broker::join(Connection& from, const wire::Hello& hello, Now now, Actions& out) {
  const auto id = from.id;
  const auto name = from.peer.identity.name;
  const auto address = from.peer.public_address;
  from.ready = true;
  const auto joined = registry_.join({.connection = id,
                                      .identity = from.peer.identity,
                                      .key_hash = from.peer.key_hash,
                                      .public_address = address,
                                      .info = hello.info,
                                      .since = now.unix},
                                     now.steady, proves_itself(from.peer, hello.sessions));
  directory_.note_seen(name, now.unix);
  if (joined.quarantined) {
    out.push_back(
        Note{{.kind = Event::Kind::quarantined, .device = name.str(), .address = address}});
    const auto bye =
        goodbye(GoodbyeCode::quarantined,
                fmt::format("two devices use the identity of {}; both are kept out", name.str()),
                quarantine_time);
    close_connection(joined.replaced->connection, bye, CloseCode::replaced, now, out);
    close_connection(id, bye, CloseCode::replaced, now, out);
    return;
  }
  claim(from, hello.sessions, now, out);
  if (joined.replaced) {
    out.push_back(Note{{.kind = Event::Kind::replaced, .device = name.str(), .address = address}});
    close_connection(joined.replaced->connection,
                     goodbye(GoodbyeCode::replaced,
                             fmt::format("{} connected anew from {}", name.str(), address)),
                     CloseCode::replaced, now, out);
  } else {
    out.push_back(Note{{.kind = Event::Kind::connected, .device = name.str(), .address = address}});
  }
  wake_waiting(name, now, out);
}

void Broker::renew(const Connection& from, const wire::Renew& renew, Now now, Actions& out) {
  const auto& name = from.peer.identity.name;
  const auto record = directory_.find(name);
  auto renewal = record && record->state == DeviceState::enrolled
                     ? issuer_.renew(*record, renew.csr, now.unix)
                     : Issuer::Renewal{{}, "the device is not enrolled any more"};
  if (!renewal.refusal.empty()) {
    out.push_back(
        Note{{.kind = Event::Kind::renew_refused, .device = name.str(), .text = renewal.refusal}});
    out.push_back(SendTo{from.id, wire::Refused{.request = 0,
                                                .code = RefusalCode::bad_request,
                                                .text = std::move(renewal.refusal)}});
    return;
  }
  out.push_back(Note{{.kind = Event::Kind::renewed, .device = name.str()}});
  out.push_back(SendTo{from.id, wire::Renewed{.certificate = std::move(renewal.certificate)}});
}

Actions Broker::on_bad_message(ConnectionId id, const boost::system::error_code& why, Now now) {
  Actions out;
  if (connections_.contains(id)) violate(id, why.message(), now, out);
  return out;
}

void Broker::violate(ConnectionId id, Text what, Now now, Actions& out) {
  const auto& name = connections_.at(id).peer.identity.name;
  out.push_back(Note{
      {.kind = Event::Kind::protocol_violated, .device = name.str(), .text = std::string{what}}});
  close_connection(id, goodbye(GoodbyeCode::protocol, std::string{what}, overload_pause),
                   CloseCode::protocol, now, out);
}

Actions Broker::on_disconnected(ConnectionId id, std::string_view why, Now now) {
  Actions out;
  forget(id, CloseCode::peer_lost, why, now, out);
  return out;
}

void Broker::close_connection(ConnectionId id, Goodbye goodbye, CloseCode code, Now now,
                              Actions& out) {
  // Its session first, so that a Close goes out before the Goodbye.
  const std::string text = goodbye.text;
  lose_control(id, code, {}, now, out);
  out.push_back(CloseConnection{id, std::move(goodbye)});
  forget(id, code, text, now, out);
}

void Broker::forget(ConnectionId id, CloseCode code, Text text, Now now, Actions& out) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  const Connection gone = std::move(it->second);
  connections_.erase(it);  // before the end of its session: no Close goes to it
  lose_control(id, code, {}, now, out);
  waiting_.remove_if([id](const Opening& opening) { return opening.control == id; });
  if (!gone.ready) return;
  const auto& name = gone.peer.identity.name;
  directory_.note_seen(name, now.unix);
  if (!registry_.leave(id, name)) return;  // replaced: its name is still online
  out.push_back(
      Note{{.kind = Event::Kind::disconnected, .device = name.str(), .text = std::string{text}}});
}

Actions Broker::on_tick(Now now) {
  Actions out;
  std::vector<std::uint64_t> due;
  for (const auto& [id, session] : sessions_)
    if (session.next_deadline() <= now.steady) due.push_back(id);
  for (const auto id : due)
    if (const auto it = sessions_.find(id); it != sessions_.end())
      end_of_time(it->second, now, out);
  if (next_sweep_ <= now.steady) sweep(now, out);
  return out;
}

void Broker::sweep(Now now, Actions& out) {
  // A device asks after ping_after; it then has the time of two lost answers.
  const auto silence_max =
      std::chrono::seconds{settings_.ping_after_seconds} + 2 * wire::pong_timeout;
  std::vector<ConnectionId> silent;
  for (const auto& [id, connection] : connections_) {
    const Clock::duration limit = connection.ready ? Clock::duration{silence_max}
                                                   : Clock::duration{wire::authenticated_timeout};
    if (now.steady - connection.heard > limit) silent.push_back(id);
  }
  for (const auto id : silent)
    close_connection(id, goodbye(GoodbyeCode::timeout, "nothing was heard for too long"),
                     CloseCode::peer_lost, now, out);
  registry_.sweep(now.steady);
  next_sweep_ = connections_.empty() ? Clock::time_point::max() : now.steady + sweep_period;
}

Clock::time_point Broker::next_deadline() const {
  auto next = next_sweep_;
  for (const auto& [id, session] : sessions_)
    next = std::min(next, session.next_deadline());
  return next;
}

Actions Broker::on_device_changed(const Name& name, GoodbyeCode code, std::string_view text,
                                  Now now) {
  Actions out;
  std::vector<ConnectionId> theirs;
  for (const auto& [id, connection] : connections_)
    if (connection.peer.identity.name == name) theirs.push_back(id);
  const auto close_code = code == GoodbyeCode::wrong_key ? CloseCode::replaced : CloseCode::revoked;
  for (const auto id : theirs) {
    lose_control(id, close_code, text, now, out);
    close_connection(id, goodbye(code, std::string{text}, overload_pause), close_code, now, out);
  }
  // Whatever goes on without a connection.
  if (const auto* session = session_of(name))
    end(session->id, close_code, std::string{text}, now, out);
  if (code != GoodbyeCode::wrong_key) refuse_waiting(name, RefusalCode::revoked, text, out);
  return out;
}

Actions Broker::on_shutdown(Now now) {
  Actions out;
  const auto impatient = keep_for_the_next_server(now, out);
  std::vector<ConnectionId> all;
  for (const auto& [id, connection] : connections_)
    all.push_back(id);
  for (const auto id : all) {
    const auto within = impatient.contains(id) ? spread_with_session : spread;
    close_connection(id,
                     goodbye(GoodbyeCode::shutting_down, "the server stops",
                             within * (issuer_.random() % 1024) / 1024),
                     CloseCode::shutdown, now, out);
  }
  return out;
}

}  // namespace rdv
