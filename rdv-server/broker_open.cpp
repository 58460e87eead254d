// The broker from List and Open to the Offer.
#include "broker.hpp"
#include "policy.hpp"
#include "utc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rdv {

using tunnel::UnixSeconds;
using tunnel::wire::Name;
using tunnel::wire::RefusalCode;

namespace wire = tunnel::wire;

void Broker::list(const Connection& from, const wire::List& list, Actions& out) {
  const auto record = directory_.find(from.peer.identity.name);
  if (!record) return;
  if (const auto verdict = may_list(*record); !verdict.allowed()) {
    out.push_back(SendTo{
        from.id,
        wire::Refused{.request = list.request, .code = *verdict.refusal, .text = verdict.text}});
    return;
  }
  const auto onsites = directory_.onsites_of(record->system);
  std::map<Name, const Session*> busy;
  for (const auto& [id, session] : sessions_)
    busy.emplace(session.onsite.name, &session);
  wire::Listing page{.request = list.request, .devices = {}, .last = false};
  for (const auto& onsite : onsites) {
    if (page.devices.size() == wire::listing_devices_max) {
      out.push_back(SendTo{from.id, page});
      page.devices.clear();
    }
    page.devices.push_back(listed(onsite, busy));
  }
  page.last = true;
  out.push_back(SendTo{from.id, std::move(page)});
}

wire::ListedDevice Broker::listed(const DeviceRecord& device,
                                  const std::map<Name, const Session*>& busy) const {
  wire::ListedDevice entry{.name = device.name,
                           .site = device.site,
                           .info = {},
                           .public_address = {},
                           .online = false,
                           .since = device.last_seen,
                           .busy_with = std::nullopt,
                           .busy_since = 0};
  if (const auto* online = registry_.find(device.name)) {
    entry.info = online->info;
    entry.public_address = online->public_address;
    entry.online = true;
    entry.since = online->since;
  }
  if (const auto session = busy.find(device.name); session != busy.end()) {
    entry.busy_with = session->second->master.name;
    entry.busy_since = session->second->since;
  }
  return entry;
}

void Broker::open(const Connection& from, const wire::Open& open, Now now, Actions& out) {
  const Opening opening{from.id, from.peer.identity.name, open};
  const auto same = [&](const Opening& other) {
    return other.control == from.id && other.open.request == open.request;
  };
  if (open.request == 0 || std::any_of(waiting_.begin(), waiting_.end(), same)) {
    violate(from.id, "an Open with a request number that is 0 or in use", now, out);
    return;
  }
  out.push_back(Note{{.kind = Event::Kind::open_asked,
                      .master = opening.master.str(),
                      .onsite = open.onsite.str(),
                      .mode = std::string{to_string(open.mode)}}});
  consider(opening, now, out);
}

/// Answers an Open: at once, or anew when the onsite it waited for has come.
void Broker::consider(const Opening& opening, Now now, Actions& out) {
  const auto& asked = opening.open.onsite;
  const auto master = directory_.find(opening.master);
  if (!master || master->state != DeviceState::enrolled) {
    refuse_open(opening, RefusalCode::not_allowed,
                fmt::format("{} is not enrolled any more", opening.master.str()), out);
    return;
  }
  const auto onsite = directory_.find(asked);
  auto verdict = may_open(*master, asked, onsite, opening.open.mode);
  if (!verdict.allowed()) {
    refuse_open(opening, *verdict.refusal, std::move(verdict.text), out, verdict.rule);
    return;
  }
  if (!no_session_because_.empty()) {
    refuse_open(opening, RefusalCode::server_trouble, no_session_because_, out, "audit");
    return;
  }
  if (const auto* own = session_of(opening.master)) {
    refuse_open(opening, RefusalCode::busy,
                fmt::format("{} already has a session with {}, since {}", opening.master.str(),
                            own->onsite.name.str(), format_utc(own->since)),
                out);
    return;
  }
  const auto* online = registry_.find(asked);
  if (!online) {
    wait(opening, onsite->last_seen, out);
  } else if (const auto* busy = session_of(asked)) {
    refuse_open(opening, RefusalCode::busy,
                fmt::format("{} is in use by {} since {}", asked.str(), busy->master.name.str(),
                            format_utc(busy->since)),
                out);
  } else {
    offer(opening, *online, verdict.rule, now, out);
  }
}

void Broker::wait(const Opening& opening, UnixSeconds last_seen, Actions& out) {
  const auto& onsite = opening.open.onsite;
  auto text = last_seen == 0 ? fmt::format("{} has never been online", onsite.str())
                             : fmt::format("{} has been offline since {}", onsite.str(),
                                           format_utc(last_seen));
  if (!opening.open.wait) {
    refuse_open(opening, RefusalCode::offline, std::move(text), out);
    return;
  }
  const auto own = std::count_if(waiting_.begin(), waiting_.end(), [&](const Opening& other) {
    return other.control == opening.control;
  });
  if (static_cast<std::size_t>(own) >= opens_per_master_max ||
      waiting_.size() >= settings_.waiting_max) {
    refuse_open(opening, RefusalCode::limit,
                fmt::format("{}; it cannot be waited for, as too many wait already", text), out);
    return;
  }
  waiting_.push_back(opening);
  out.push_back(Note{
      {.kind = Event::Kind::open_waits, .master = opening.master.str(), .onsite = onsite.str()}});
  out.push_back(SendTo{opening.control, wire::Waiting{.request = opening.open.request,
                                                      .code = RefusalCode::offline,
                                                      .text = std::move(text),
                                                      .since = last_seen}});
}

/// @param rule  that allowed it
void Broker::offer(const Opening& opening, const OnlineDevice& onsite, Text rule, Now now,
                   Actions& out) {
  const auto* master = registry_.find(opening.master);
  if (!master) return;  // it was replaced in this very turn
  if (sessions_.size() >= settings_.sessions_max) {
    refuse_open(
        opening, RefusalCode::limit,
        fmt::format("the server carries {} sessions already, which is its limit", sessions_.size()),
        out);
    return;
  }
  const auto id = new_session_id();
  const auto seconds = session_seconds(opening.open.seconds, settings_.session_seconds,
                                       settings_.session_seconds_max);
  sessions_.emplace(id, Session{.id = id,
                                .system = master->identity.system,
                                .master = {.name = opening.master,
                                           .control = opening.control,
                                           .key_hash = master->key_hash},
                                .onsite = {.name = onsite.identity.name,
                                           .control = onsite.connection,
                                           .key_hash = onsite.key_hash},
                                .open = opening.open,
                                .rule = rule,
                                .seconds = seconds,
                                .since = now.unix,
                                .deadline = now.steady + wire::offer_timeout,
                                .leg_lost = std::nullopt,
                                .tunnel = std::nullopt});
  out.push_back(SendTo{onsite.connection, wire::Offer{.session = id,
                                                      .master = opening.master,
                                                      .mode = opening.open.mode,
                                                      .seconds = seconds,
                                                      .master_lan = master->info.lan}});
}

std::uint64_t Broker::new_session_id() {
  for (;;)
    if (const auto id = issuer_.random(); id != 0 && !sessions_.contains(id)) return id;
}

void Broker::refuse_open(const Opening& opening, RefusalCode code, std::string text, Actions& out,
                         Text rule) {
  out.push_back(Note{{.kind = Event::Kind::open_refused,
                      .master = opening.master.str(),
                      .onsite = opening.open.onsite.str(),
                      .code = std::string{to_string(code)},
                      .rule = std::string{rule.empty() ? to_string(code) : rule},
                      .mode = std::string{to_string(opening.open.mode)},
                      .text = text}});
  out.push_back(SendTo{
      opening.control,
      wire::Refused{.request = opening.open.request, .code = code, .text = std::move(text)}});
}

void Broker::refuse_waiting(const Name& onsite, RefusalCode code, Text text, Actions& out) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto here = it++;
    if (here->open.onsite != onsite) continue;
    refuse_open(*here, code, std::string{text}, out);
    waiting_.erase(here);
  }
}

/// The first who waited gets it; the others are told by whom it is in use.
void Broker::wake_waiting(const Name& onsite, Now now, Actions& out) {
  std::list<Opening> woken;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto here = it++;
    if (here->open.onsite == onsite) woken.splice(woken.end(), waiting_, here);
  }
  for (const auto& opening : woken)
    consider(opening, now, out);
}

}  // namespace rdv
