// The broker when legs are gone: interruptions, rounds of Resume, and devices that come back.
#include "broker.hpp"
#include "policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rdv {

using tunnel::Clock;
using tunnel::wire::CloseCode;
using tunnel::wire::Grant;
using tunnel::wire::Name;
using tunnel::wire::RefusalCode;

namespace wire = tunnel::wire;

namespace {

using namespace std::chrono_literals;

/// The epoch of the round to come: newer than what either end has seen.
std::uint32_t coming_epoch(const Session& session) {
  auto epoch = session.epoch + 1;
  for (const auto* end : {&session.master, &session.onsite})
    if (end->asked) epoch = std::max(epoch, end->asked->epoch);
  return epoch;
}

/// Counts one more Resume. @return true when there are too many
bool asks_too_often(Session::End& end, Clock::time_point now) {
  std::erase_if(end.resumes, [now](Clock::time_point when) { return now - when >= 1min; });
  end.resumes.push_back(now);
  return end.resumes.size() > wire::resumes_per_minute_max;
}

/// What is left of a session's time, never 0.
std::uint32_t seconds_left(const Session& session, Clock::time_point now) {
  const auto left = std::chrono::ceil<std::chrono::seconds>(session.limit - now).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(left, 1, static_cast<std::int64_t>(session.seconds)));
}

bool is_still(const std::optional<DeviceRecord>& record, const Session::End& end) {
  return record && record->state == DeviceState::enrolled && record->key_hash == end.key_hash;
}

}  // namespace

/// The legs of this epoch are of no use any more. Begins a round; tell_interrupted() asks both ends
/// for their Resume.
///
/// @param why  for the log
void Broker::interrupt(Session& session, std::string why, Now now, Actions& out) {
  // Legs that did not stay count as none: time goes on from the first interruption.
  const bool stood = session.state == Session::State::running &&
                     now.steady - session.running_since >= wire::attach_timeout;
  if (stood || session.grace == Clock::time_point::max())
    session.grace = now.steady + wire::resume_grace;
  if (session.interrupted_since == 0) session.interrupted_since = now.unix;
  session.state = Session::State::interrupted;
  session.deadline = session.grace;
  session.linger = Clock::time_point::max();
  session.leg_lost.reset();
  for (auto* end : {&session.master, &session.onsite}) {
    end->attached = false;
    end->asked.reset();
  }
  out.push_back(StopRelay{session.id, CloseCode::network, "the session is interrupted"});
  out.push_back(Note{{.kind = Event::Kind::interrupted,
                      .master = session.master.name.str(),
                      .onsite = session.onsite.name.str(),
                      .session = session.id,
                      .text = std::move(why)}});
}

/// Asks each end that is online and has not asked itself.
void Broker::tell_interrupted(const Session& session, Actions& out) {
  for (const auto* end : {&session.onsite, &session.master})
    if (!end->asked && connections_.contains(end->control))
      out.push_back(SendTo{end->control, wire::Interrupted{session.id, coming_epoch(session)}});
}

void Broker::resume(const Connection& from, const wire::Resume& resume, Now now, Actions& out) {
  const auto& name = from.peer.identity.name;
  const auto it = sessions_.find(resume.session);
  if (it == sessions_.end() || it->second.state == Session::State::offered ||
      !it->second.has_end(name) || it->second.end_named(name).control != from.id)
    return tell_over(from, resume.session, out);
  auto& session = it->second;
  auto& own = session.end_named(name);
  if (asks_too_often(own, now.steady))
    return end(session.id, CloseCode::protocol,
               fmt::format("{} lost its data connection more than {} times in a minute", name.str(),
                           wire::resumes_per_minute_max),
               now, out);
  if (resume.epoch > epoch_max)
    return end(session.id, CloseCode::protocol, fmt::format("{} broke the protocol", name.str()),
               now, out);
  if (session.next_deadline() <= now.steady && session.state == Session::State::interrupted)
    return end_of_time(session, now, out);
  // One with an epoch we have granted already counts as well: that grant was lost on its way.
  const bool begins = session.state != Session::State::interrupted;
  if (begins)
    interrupt(session, fmt::format("the data connection of {} broke", name.str()), now, out);
  own.asked = Session::Asked{resume.epoch, resume.nonce};
  if (begins) tell_interrupted(session, out);
  if (session.master.asked && session.onsite.asked) regrant(session, now, out);
}

/// Both ends have asked: a new grant of the same session. Directory and Issuer are asked before
/// anything is changed.
void Broker::regrant(Session& session, Now now, Actions& out) {
  if (session.limit <= now.steady) return end_of_time(session, now, out);
  if (const auto why_not = why_no_resume(session))
    return end(session.id, why_not->code, why_not->text, now, out);
  const Grant grant{.session = session.id,
                    .epoch = coming_epoch(session),
                    .master = {session.master.name, session.master.key_hash},
                    .onsite = {session.onsite.name, session.onsite.key_hash},
                    .system = session.system,
                    .mode = session.open.mode,
                    .allow = session.allow,
                    .seconds = seconds_left(session, now.steady),
                    .features = 0,
                    .master_nonce = session.master.asked->nonce,
                    .onsite_nonce = session.onsite.asked->nonce,
                    .server_time = now.unix,
                    .tunnel = session.tunnel.value_or(tunnel::Ipv4Prefix{}),
                    .dns = session.dns,
                    .deny = session.tunnel ? settings_.deny : std::vector<tunnel::Ipv4Address>{}};
  const auto bytes = encode_grant(grant);
  const auto signature = issuer_.sign_grant(bytes);
  session.epoch = grant.epoch;
  session.state = Session::State::granted;
  session.deadline = now.steady + wire::attach_timeout;
  session.earlier_from_onsite_bytes = session.from_onsite_bytes;
  session.earlier_from_master_bytes = session.from_master_bytes;
  out.push_back(KeepSession{kept(session, grant)});
  for (auto* end : {&session.onsite, &session.master}) {
    end->asked.reset();
    const auto& other = end == &session.onsite ? session.master : session.onsite;
    const auto* peer = registry_.find(other.name);
    out.push_back(
        SendTo{end->control, wire::Granted{0, bytes, signature, peer ? peer->info : wire::Info{}}});
  }
}

/// The registry and the policy may have changed since the last grant. @return nothing when it may
/// go on
std::optional<Broker::Ended> Broker::why_no_resume(const Session& session) {
  const auto master = directory_.find(session.master.name);
  const auto onsite = directory_.find(session.onsite.name);
  const auto no = [&](CloseCode code, std::string text) {
    return Ended{session.id, session.master.name, session.onsite.name, code, std::move(text)};
  };
  for (const auto& [record, end] :
       {std::pair{&master, &session.master}, {&onsite, &session.onsite}})
    if (!is_still(*record, *end))
      return no(CloseCode::revoked,
                fmt::format("{} was revoked or enrolled anew meanwhile", end->name.str()));
  auto verdict = may_open(*master, session.onsite.name, onsite, session.open.mode);
  if (!verdict.allowed()) return no(CloseCode::administrator, std::move(verdict.text));
  return std::nullopt;
}

/// True when `held` names a session of this device: nobody else can know its number.
bool Broker::proves_itself(const PeerFacts& peer, const std::vector<std::uint64_t>& held) const {
  const auto* session = session_of(peer.identity.name);
  return session != nullptr && std::find(held.begin(), held.end(), session->id) != held.end();
}

/// A Hello names what the device still holds: that goes on over this connection. What it does not
/// name it has forgotten; of what is over it hears why.
void Broker::claim(const Connection& from, const std::vector<std::uint64_t>& held, Now now,
                   Actions& out) {
  const auto name = from.peer.identity.name;
  const auto it = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    return entry.second.has_end(name) && entry.second.state != Session::State::offered;
  });
  std::uint64_t goes_on = 0;
  if (it != sessions_.end()) {
    auto& session = it->second;
    auto& own = session.end_named(name);
    if (std::find(held.begin(), held.end(), session.id) != held.end() &&
        own.key_hash == from.peer.key_hash) {
      goes_on = session.id;
      own.control = from.id;
      own.asked.reset();                                      // it asks again
      if (&own == &session.master) session.open.request = 0;  // numbers of the older connection
      if (session.state == Session::State::interrupted)
        out.push_back(SendTo{from.id, wire::Interrupted{session.id, coming_epoch(session)}});
    } else {
      end(session.id, CloseCode::peer_lost, fmt::format("{} was restarted", name.str()), now, out);
    }
  }
  for (const auto id : held)
    if (id != goes_on) tell_over(from, id, out);
}

void Broker::remember(Ended ended) {
  ended_.push_back(std::move(ended));
  if (ended_.size() > ended_kept_max) ended_.pop_front();
}

/// A device asks for a session that is not there (any more), or that is none of its own.
void Broker::tell_over(const Connection& from, std::uint64_t session, Actions& out) {
  const auto& name = from.peer.identity.name;
  const auto known = std::find_if(ended_.rbegin(), ended_.rend(), [&](const Ended& ended) {
    return ended.session == session && (ended.master == name || ended.onsite == name);
  });
  if (known != ended_.rend()) {
    out.push_back(SendTo{from.id, wire::Close{session, known->code, known->text}});
    return;
  }
  out.push_back(SendTo{from.id, wire::Close{session, CloseCode::peer_lost,
                                            "the server does not know this session any more"}});
}

KeptSession Broker::kept(const Session& session, const Grant& grant) {
  return {.grant = grant,
          .seconds = session.seconds,
          .since = session.since,
          .expires = session.expires};
}

Actions Broker::restore(std::vector<KeptSession> sessions, Now now) {
  Actions out;
  // Of a session whose end could not be written the newest that its devices have is the true one.
  std::stable_sort(sessions.begin(), sessions.end(),
                   [](const KeptSession& a, const KeptSession& b) { return a.since > b.since; });
  for (const auto& kept : sessions) {
    if (restore(kept, now, out)) continue;
    const auto& grant = kept.grant;
    const bool expired = kept.expires <= now.unix;
    const auto code = expired ? CloseCode::time_limit : CloseCode::peer_lost;
    const auto text =
        expired ? time_limit_text(kept.seconds) : "another session has taken its place";
    if (expired) remember({grant.session, grant.master.name, grant.onsite.name, code, text});
    out.push_back(Note{{.kind = Event::Kind::closed,
                        .master = grant.master.name.str(),
                        .onsite = grant.onsite.name.str(),
                        .session = grant.session,
                        .code = std::string{to_string(code)},
                        .text = text,
                        .seconds = std::min(now.unix, kept.expires) - kept.since}});
    out.push_back(DropSession{grant.session});
  }
  return out;
}

/// @return false when it cannot go on
bool Broker::restore(const KeptSession& kept, Now now, Actions& out) {
  const auto& grant = kept.grant;
  const bool is_routed = grant.mode == wire::Mode::l3;
  if (kept.expires <= now.unix || session_of(grant.master.name) || session_of(grant.onsite.name) ||
      (is_routed && !pool_.reserve(grant.tunnel)))
    return false;
  // A clock that was set back makes no session longer.
  const auto left = std::min<tunnel::UnixSeconds>(kept.expires - now.unix, kept.seconds);
  auto& session =
      sessions_
          .emplace(grant.session,
                   Session{.id = grant.session,
                           .epoch = grant.epoch,
                           .system = grant.system,
                           .master = {.name = grant.master.name, .key_hash = grant.master.key_hash},
                           .onsite = {.name = grant.onsite.name, .key_hash = grant.onsite.key_hash},
                           .open = {.onsite = grant.onsite.name, .mode = grant.mode},
                           .seconds = kept.seconds,
                           .since = kept.since,
                           .expires = kept.expires,
                           .deadline = now.steady,
                           .limit = now.steady + std::chrono::seconds{left},
                           .leg_lost = std::nullopt,
                           .tunnel = is_routed ? std::optional{grant.tunnel} : std::nullopt,
                           .allow = grant.allow,
                           .dns = grant.dns})
          .first->second;
  interrupt(session, "the server was started anew", now, out);
  return true;
}

/// The server stops, and the next one goes on with these sessions.
///
/// @return the control connections of their devices
std::set<ConnectionId> Broker::keep_for_the_next_server(Now now, Actions& out) {
  std::set<ConnectionId> theirs;
  std::vector<std::uint64_t> all;
  for (const auto& [id, session] : sessions_)
    all.push_back(id);
  for (const auto id : all) {
    auto& session = sessions_.at(id);
    const bool stood = session.state == Session::State::running || session.epoch > 1 ||
                       session.state == Session::State::interrupted;
    if (!stood) {
      end(id, CloseCode::shutdown, "the server stops", now, out);
      continue;
    }
    if (session.state != Session::State::interrupted)
      interrupt(session, "the server stops", now, out);
    for (auto* end : {&session.master, &session.onsite}) {
      theirs.insert(end->control);
      end->leave_control();
    }
  }
  return theirs;
}

}  // namespace rdv
