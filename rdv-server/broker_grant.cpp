// The broker from the Offer's answer to the Grant.
#include "broker.hpp"

#include <fmt/format.h>

#include <utility>

namespace rdv {

using tunnel::Ipv4Address;
using tunnel::Ipv4Prefix;
using tunnel::wire::Allow;
using tunnel::wire::CloseCode;
using tunnel::wire::Grant;
using tunnel::wire::RefusalCode;

namespace wire = tunnel::wire;

namespace {

constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint16_t dns_port = 53;

/// The laptop's port on every master: no tunnel may lie there.
constexpr Ipv4Prefix extremity{{0xC0A826E0}, 29};  // 192.168.38.224/29

/// The onsite's LAN, what the administrator opens beyond it, and its DNS servers: at most
/// wire::allow_rules_max.
std::vector<Allow> allowed(const wire::Info& onsite, const std::vector<Ipv4Prefix>& beyond) {
  std::vector<Allow> allow;
  if (onsite.lan) allow.push_back({.prefix = onsite.lan->network()});
  for (const auto& prefix : beyond)
    allow.push_back({.prefix = prefix.network()});
  for (const Ipv4Address server : onsite.dns)
    for (const auto protocol : {protocol_udp, protocol_tcp})
      allow.push_back({{server, 32}, protocol, dns_port, dns_port});
  return allow;
}

/// "192.168.1.0/24, 192.168.1.1/32 udp 53"
std::string text_of(const std::vector<Allow>& allow) {
  std::string text;
  for (const auto& rule : allow) {
    text += (text.empty() ? "" : ", ") + rule.prefix.str();
    if (rule.protocol != 0)
      text += fmt::format(" {} {}", rule.protocol == protocol_udp ? "udp" : "tcp", rule.port_first);
  }
  return text;
}

}  // namespace

void Broker::accept(const Connection& from, const wire::Accept& accept, Now now, Actions& out) {
  const auto it = sessions_.find(accept.session);
  if (it == sessions_.end()) return;  // given up meanwhile; the onsite was told
  auto& session = it->second;
  if (session.onsite.control != from.id || session.state != Session::State::offered) {
    violate(from.id, "an Accept of what was not offered", now, out);
    return;
  }
  if (!no_session_because_.empty()) {
    give_up_offer(session.id, RefusalCode::server_trouble, no_session_because_, out, "audit");
    return;
  }
  std::string why_not;
  const auto grant = make_grant(session, accept.nonce, now, why_not);
  if (!grant) {
    give_up_offer(session.id, RefusalCode::not_allowed, std::move(why_not), out);
    return;
  }
  if (grant->mode == wire::Mode::l3) session.tunnel = grant->tunnel;
  session.allow = grant->allow;
  session.dns = grant->dns;
  const auto bytes = encode_grant(*grant);
  const auto signature = issuer_.sign_grant(bytes);
  session.state = Session::State::granted;
  session.expires = now.unix + session.seconds;
  session.deadline = now.steady + wire::attach_timeout;
  session.limit = now.steady + std::chrono::seconds{session.seconds};
  out.push_back(Note{{.kind = Event::Kind::granted,
                      .master = session.master.name.str(),
                      .onsite = session.onsite.name.str(),
                      .session = session.id,
                      .rule = std::string{session.rule},
                      .allow = text_of(session.allow),
                      .mode = std::string{to_string(session.open.mode)},
                      .seconds = session.seconds}});
  out.push_back(KeepSession{kept(session, *grant)});
  const auto& master_info = registry_.find(session.master.name)->info;
  const auto& onsite_info = registry_.find(session.onsite.name)->info;
  out.push_back(SendTo{session.onsite.control, wire::Granted{0, bytes, signature, master_info}});
  out.push_back(SendTo{session.master.control,
                       wire::Granted{session.open.request, bytes, signature, onsite_info}});
}

/// @param why_not  set when there is none: a sentence for the master
std::optional<Grant> Broker::make_grant(const Session& session, const wire::Nonce& onsite_nonce,
                                        Now now, std::string& why_not) {
  const auto onsite = directory_.find(session.onsite.name);
  const auto master = directory_.find(session.master.name);
  const auto* onsite_online = registry_.find(session.onsite.name);
  const auto* master_online = registry_.find(session.master.name);
  const bool both =
      onsite && master && onsite_online && master_online &&
      onsite->key_hash == session.onsite.key_hash && master->key_hash == session.master.key_hash &&
      onsite->state == DeviceState::enrolled && master->state == DeviceState::enrolled;
  if (!both) {
    why_not = "one of the devices was revoked or enrolled anew meanwhile";
    return std::nullopt;
  }
  Grant grant{.session = session.id,
              .epoch = session.epoch,
              .master = {session.master.name, session.master.key_hash},
              .onsite = {session.onsite.name, session.onsite.key_hash},
              .system = session.system,
              .mode = session.open.mode,
              .allow = {},
              .seconds = session.seconds,
              .features = 0,
              .master_nonce = session.open.nonce,
              .onsite_nonce = onsite_nonce,
              .server_time = now.unix,
              .tunnel = {},
              .dns = {},
              .deny = {}};
  if (grant.mode == wire::Mode::l3) {
    why_not = add_routing(grant, *onsite, onsite_online->info, master_online->info);
    if (!why_not.empty()) return std::nullopt;
  }
  return grant;
}

/// What a routed session may reach, and the tunnel it is routed by. @return why there is none, or
/// ""
std::string Broker::add_routing(Grant& grant, const DeviceRecord& onsite,
                                const wire::Info& onsite_info, const wire::Info& master_info) {
  grant.allow = allowed(onsite_info, onsite.allow);
  if (grant.allow.empty())
    return fmt::format("{} has no LAN address now, so there is nothing to reach behind it",
                       onsite.name.str());
  std::vector<Ipv4Prefix> never{extremity};
  for (const auto* lan : {&onsite_info.lan, &master_info.lan})
    if (*lan) never.push_back((*lan)->network());
  for (const auto server : onsite_info.dns)
    never.push_back({server, 32});
  const auto tunnel = pool_.take(never, onsite.allow);
  if (!tunnel)
    return "no tunnel address is free: the LANs of the two devices cover 192.168.128.0/17";
  grant.tunnel = *tunnel;
  grant.dns = onsite_info.dns;
  grant.deny = settings_.deny;
  return {};
}

void Broker::decline(const Connection& from, const wire::Decline& decline, Now now, Actions& out) {
  const auto it = sessions_.find(decline.session);
  if (it == sessions_.end()) return;
  const auto& session = it->second;
  if (session.onsite.control != from.id || session.state != Session::State::offered) {
    violate(from.id, "a Decline of what was not offered", now, out);
    return;
  }
  const auto& name = session.onsite.name.str();
  give_up_offer(session.id, decline.code,
                decline.text.empty() ? fmt::format("{} declined it", name)
                                     : fmt::format("{} declined it: {}", name, decline.text),
                out);
}

void Broker::cancel(const Connection& from, std::uint32_t request, Now now, Actions& out) {
  waiting_.remove_if([&](const Opening& opening) {
    return opening.control == from.id && opening.open.request == request;
  });
  // It crossed our Offer or Grant on its way.
  for (const auto& [id, session] : sessions_) {
    if (session.master.control != from.id || session.open.request != request || request == 0)
      continue;
    end(id, CloseCode::operator_, {}, now, out);
    return;
  }
}

/// The Offer came to nothing: the master is told why, the onsite that it is over.
void Broker::give_up_offer(std::uint64_t id, RefusalCode code, std::string text, Actions& out,
                           Text rule) {
  const auto it = sessions_.find(id);
  const Session session = take_out(it->second);
  text = wire::to_plain_text(text, wire::text_chars_max);
  const Opening opening{session.master.control, session.master.name, session.open};
  if (connections_.contains(session.onsite.control))
    out.push_back(SendTo{session.onsite.control,
                         wire::Close{.session = id, .code = CloseCode::operator_, .text = text}});
  if (connections_.contains(session.master.control))
    refuse_open(opening, code, std::move(text), out, rule);
}

}  // namespace rdv
