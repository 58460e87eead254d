// The broker from the Grant to the end of a session.
#include "broker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rdv {

using tunnel::Clock;
using tunnel::wire::CloseCode;
using tunnel::wire::Name;
using tunnel::wire::RefusalCode;
using tunnel::wire::Role;

namespace wire = tunnel::wire;

namespace {

constexpr char no_such_session[] = "there is no such session";

/// Why a session ended with `name`'s control connection: what the other end reads.
std::string why_gone(CloseCode code, const Name& name) {
  switch (code) {
    case CloseCode::peer_lost: return fmt::format("the connection of {} is lost", name.str());
    case CloseCode::replaced: return fmt::format("two devices use the identity of {}", name.str());
    case CloseCode::revoked: return fmt::format("{} was revoked", name.str());
    case CloseCode::shutdown: return fmt::format("{} stops", name.str());
    case CloseCode::protocol: return fmt::format("{} broke the protocol", name.str());
    default: return std::string{sentence(code)};
  }
}

/// Codes a device may give; the others are the server's to say.
bool is_for_devices(CloseCode code) {
  switch (code) {
    case CloseCode::administrator:
    case CloseCode::revoked:
    case CloseCode::replaced: return false;
    default: return true;
  }
}

/// Its legs are not its first: it stood once, and both devices hold it.
bool is_resumed(const Session& session) {
  return session.epoch > 1;
}

/// A control connection that ended so took only itself along.
bool outlives_control(CloseCode code) {
  return code == CloseCode::peer_lost || code == CloseCode::network;
}

}  // namespace

Broker::AttachOutcome Broker::on_attach(const PeerFacts& peer, const wire::Attach& attach,
                                        Now now) {
  const auto it = sessions_.find(attach.session);
  std::string refusal;
  Actions actions;
  try {
    refusal = it == sessions_.end() ? std::string{no_such_session}
                                    : attach_refusal(it->second, peer, attach, now);
  } catch (const std::exception& e) {
    refusal = trouble(peer, e, actions).text;
  }
  if (!refusal.empty()) {
    actions.push_back(Note{{.kind = Event::Kind::attach_refused,
                            .device = peer.identity.name.str(),
                            .session = attach.session,
                            .text = refusal}});
    return {wire::Close{attach.session, CloseCode::protocol, refusal}, std::move(actions)};
  }
  auto& session = it->second;
  const auto side = session.master.name == peer.identity.name ? Role::master : Role::onsite;
  session.end_of(side).attached = true;
  AttachOutcome outcome{Attached{session.id, session.epoch, side}, {}};
  if (session.master.attached && session.onsite.attached) begin(session, now, outcome.actions);
  return outcome;
}

/// Both legs are there.
void Broker::begin(Session& session, Now now, Actions& out) {
  session.state = Session::State::running;
  session.deadline = Clock::time_point::max();
  session.running_since = now.steady;
  const bool resumed = session.interrupted_since != 0;
  const auto interrupted_since = std::exchange(session.interrupted_since, 0);
  out.push_back(Note{{.kind = resumed ? Event::Kind::resumed : Event::Kind::relay_started,
                      .master = session.master.name.str(),
                      .onsite = session.onsite.name.str(),
                      .session = session.id,
                      .seconds = resumed ? now.unix - interrupted_since : 0}});
  out.push_back(StartRelay{session.id, session.epoch});
}

/// @return "" when the leg may be attached
std::string Broker::attach_refusal(const Session& session, const PeerFacts& peer,
                                   const wire::Attach& attach, Now now) {
  const bool is_master = session.master.name == peer.identity.name;
  const auto& end = is_master ? session.master : session.onsite;
  const auto record = directory_.find(peer.identity.name);
  // Whoever is not one of the two learns nothing about the session.
  if (end.name != peer.identity.name || end.key_hash != peer.key_hash || !record ||
      record->state != DeviceState::enrolled || record->key_hash != peer.key_hash ||
      record->identity() != peer.identity)
    return no_such_session;
  if (session.state == Session::State::offered) return "the session has not been granted yet";
  if (session.limit <= now.steady) return "the session's time is over";
  if (session.state == Session::State::interrupted)
    return "the session is interrupted, and no new epoch has been granted yet";
  if (session.deadline <= now.steady) return "it came too late";
  if (attach.epoch != session.epoch)
    return fmt::format("the session is at epoch {}, not {}", session.epoch, attach.epoch);
  if (end.attached) return "this leg of the session is attached already";
  return {};
}

Actions Broker::on_leg_closed(std::uint64_t id, std::uint32_t epoch, Role side, bool stood,
                              Now now) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || it->second.epoch != epoch || it->second.leg_lost) return {};
  auto& session = it->second;
  if (!session.end_of(side).attached) return {};  // interrupted already
  session.leg_lost = session.end_of(side).name;
  session.never_stood = !stood && !is_resumed(session);
  session.linger = now.steady + (session.never_stood ? Clock::duration{first_leg_close_linger}
                                                     : leg_close_linger);
  return {};
}

void Broker::on_relay_bytes(std::uint64_t id, std::uint32_t epoch, std::uint64_t from_onsite,
                            std::uint64_t from_master) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || it->second.epoch != epoch) return;
  auto& session = it->second;
  session.from_onsite_bytes = session.earlier_from_onsite_bytes + from_onsite;
  session.from_master_bytes = session.earlier_from_master_bytes + from_master;
}

Actions Broker::on_relay_ended(std::uint64_t id, std::uint32_t epoch, CloseCode code,
                               std::string_view text, Now now) {
  Actions out;
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || it->second.epoch != epoch) return out;
  auto& session = it->second;
  if (session.state != Session::State::granted && session.state != Session::State::running)
    return out;
  const bool resumable =
      code == CloseCode::idle || (code == CloseCode::network && is_resumed(session));
  if (resumable) {
    interrupt(session, std::string{text}, now, out);
    tell_interrupted(session, out);
  } else {
    end(id, code, std::string{text}, now, out);
  }
  return out;
}

void Broker::close(const Connection& from, const wire::Close& close, Now now, Actions& out) {
  const auto it = sessions_.find(close.session);
  if (it == sessions_.end()) return;  // both ends closed it, or we did
  const auto& session = it->second;
  if (session.master.control != from.id && session.onsite.control != from.id) return;
  if (session.state == Session::State::offered && session.onsite.control == from.id) {
    give_up_offer(session.id, RefusalCode::declined, close.text, out);
    return;
  }
  const auto code = is_for_devices(close.code) ? close.code : CloseCode::protocol;
  end(session.id, code, close.text, now, out);
}

/// What becomes of a session when one of its control connections ends.
///
/// @param text  for people; empty: a sentence of the code
void Broker::lose_control(ConnectionId control, CloseCode code, Text text, Now now, Actions& out) {
  const auto it = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    return entry.second.master.control == control || entry.second.onsite.control == control;
  });
  if (it == sessions_.end()) return;
  auto& session = it->second;
  auto& gone = session.onsite.control == control ? session.onsite : session.master;
  auto why = text.empty() ? why_gone(code, gone.name) : std::string{text};
  if (session.state == Session::State::offered && &gone == &session.onsite) {
    give_up_onsite(session, code, std::move(why), now, out);
  } else if (session.state != Session::State::offered && outlives_control(code)) {
    // Its legs live by themselves; it asks again over its next connection.
    gone.leave_control();
  } else {
    end(session.id, code, std::move(why), now, out);
  }
}

/// The onsite went before it answered the Offer. A master that waits goes on waiting, unless the
/// onsite will never come.
void Broker::give_up_onsite(Session& session, CloseCode code, std::string why, Now now,
                            Actions& out) {
  const Opening opening{session.master.control, session.master.name, session.open};
  if (code == CloseCode::revoked) {
    give_up_offer(session.id, RefusalCode::revoked, std::move(why), out);
  } else if (connections_.contains(opening.control)) {
    if (connections_.contains(session.onsite.control))
      out.push_back(SendTo{session.onsite.control, wire::Close{session.id, code, why}});
    take_out(session);
    wait(opening, now.unix, out);
  }
}

/// Removes a session from the books, and gives its tunnel back.
Session Broker::take_out(Session& entry) {
  Session session = std::move(entry);
  sessions_.erase(session.id);
  if (session.tunnel) pool_.give_back(*session.tunnel);
  return session;
}

/// Ends a session for both devices and the relay.
///
/// @param text  for people; empty: the sentence of the code
void Broker::end(std::uint64_t id, CloseCode code, std::string text, Now now, Actions& out) {
  const auto it = sessions_.find(id);
  const Session session = take_out(it->second);
  text =
      text.empty() ? std::string{sentence(code)} : wire::to_plain_text(text, wire::text_chars_max);
  remember({id, session.master.name, session.onsite.name, code, text});
  out.push_back(Note{{.kind = Event::Kind::closed,
                      .master = session.master.name.str(),
                      .onsite = session.onsite.name.str(),
                      .session = id,
                      .code = std::string{to_string(code)},
                      .text = text,
                      .seconds = now.unix - session.since,
                      .from_onsite_bytes = session.from_onsite_bytes,
                      .from_master_bytes = session.from_master_bytes}});
  if (session.state != Session::State::offered) {
    out.push_back(StopRelay{id, code, text});
    out.push_back(DropSession{id});
  }
  for (const auto* end : {&session.onsite, &session.master}) {
    if (!connections_.contains(end->control)) continue;
    out.push_back(SendTo{end->control, wire::Close{id, code, text}});
  }
}

/// One of the session's deadlines has come.
void Broker::end_of_time(Session& session, Now now, Actions& out) {
  const auto id = session.id;
  if (session.limit <= now.steady) {
    end(id, CloseCode::time_limit, time_limit_text(session.seconds), now, out);
  } else if (session.linger <= now.steady) {
    auto why = fmt::format("the data connection of {} broke", session.leg_lost->str());
    if (session.never_stood) return end(id, CloseCode::network, std::move(why), now, out);
    interrupt(session, std::move(why), now, out);
    tell_interrupted(session, out);
  } else if (session.state == Session::State::offered) {
    give_up_offer(id, RefusalCode::no_answer,
                  fmt::format("{} is online but did not answer within {} s",
                              session.onsite.name.str(), wire::offer_timeout.count()),
                  out);
  } else if (session.state == Session::State::interrupted) {
    const auto& missing = session.onsite.asked ? session.master : session.onsite;
    end(id, CloseCode::peer_lost,
        fmt::format("it was interrupted, and {} did not come back within {} min",
                    missing.name.str(), wire::resume_grace.count()),
        now, out);
  } else {
    const auto& missing = session.onsite.attached ? session.master : session.onsite;
    auto why = fmt::format("{} did not connect for the session within {} s", missing.name.str(),
                           wire::attach_timeout.count());
    if (!is_resumed(session)) return end(id, CloseCode::network, std::move(why), now, out);
    interrupt(session, std::move(why), now, out);
    tell_interrupted(session, out);
  }
}

std::optional<Actions> Broker::close_session(std::uint64_t id, std::string_view text, Now now) {
  if (!sessions_.contains(id)) return std::nullopt;
  Actions out;
  end(id, CloseCode::administrator, std::string{text}, now, out);
  return out;
}

const Session* Broker::session_of(const Name& device) const {
  const auto it = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    return entry.second.master.name == device || entry.second.onsite.name == device;
  });
  return it == sessions_.end() ? nullptr : &it->second;
}

const Session* Broker::find_session(std::uint64_t id) const {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

std::vector<const Session*> Broker::sessions() const {
  std::vector<const Session*> all;
  for (const auto& [id, session] : sessions_)
    all.push_back(&session);
  std::stable_sort(all.begin(), all.end(),
                   [](const Session* a, const Session* b) { return a->since < b->since; });
  return all;
}

}  // namespace rdv
