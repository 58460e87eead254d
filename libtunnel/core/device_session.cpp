#include "core/device_session.hpp"

#include <boost/assert.hpp>

#include <limits>
#include <utility>

namespace tunnel::core {

using State = DeviceSession::State;
using wire::CloseCode;

namespace {

/// New legs can cure it.
bool is_resumable(CloseCode code) {
  return code == CloseCode::network || code == CloseCode::peer_lost || code == CloseCode::no_echo;
}

/// The server's Interrupted does not say whose leg it was.
SessionEnd interrupted_by_server() {
  auto why = SessionEnd::from(CloseCode::network, "");
  why.text = "one of its two connections to the server broke";
  return why;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::opening: return "opening";
    case State::waiting: return "waiting";
    case State::accepted: return "opening";
    case State::granted: return "opening";
    case State::established: return "established";
    case State::interrupted:
    case State::resuming:
    case State::regranted: return "interrupted";
    case State::closed: return "closed";
  }
  return "unknown";
}

DeviceSession::DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                             Request request)
    : id_{id},
      self_{self},
      tools_{tools},
      peer_{request.onsite},
      request_{std::move(request)},
      state_{State::opening} {}

DeviceSession::DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                             const wire::Offer& offer)
    : id_{id},
      self_{self},
      tools_{tools},
      peer_{offer.master},
      request_{.onsite = self.identity.name, .mode = offer.mode, .seconds = offer.seconds},
      state_{State::accepted},
      session_{offer.session} {}

DeviceSession::DeviceSession(std::uint64_t id, const DeviceIdentity& self, const DeviceTools& tools,
                             Kept kept, Clock::time_point now)
    : id_{id},
      self_{self},
      tools_{tools},
      peer_{self.identity.role == wire::Role::master ? kept.grant.onsite.name
                                                     : kept.grant.master.name},
      request_{.onsite = kept.grant.onsite.name, .mode = kept.grant.mode},
      state_{State::interrupted},
      session_{kept.grant.session},
      paused_{true},
      grant_{std::move(kept.grant)},
      ends_{kept.ends},
      interrupted_at_{now},
      kept_until_{std::min(ends_, now + wire::resume_grace)} {}

SessionActions DeviceSession::ask(std::uint32_t number, Clock::time_point now) {
  BOOST_ASSERT(number != 0 && role() == wire::Role::master);
  if (state_ != State::opening && state_ != State::waiting) return {};
  state_ = State::opening;
  online_ = true;
  request_number_ = number;
  nonce_ = tools_.fresh_nonce();
  deadline_ = now + answer_timeout;
  return {SendMessage{wire::Open{.request = number,
                                 .onsite = request_.onsite,
                                 .mode = request_.mode,
                                 .nonce = nonce_,
                                 .seconds = request_.seconds,
                                 .wait = request_.wait}}};
}

SessionActions DeviceSession::accept(Clock::time_point now) {
  BOOST_ASSERT(state_ == State::accepted);
  online_ = true;
  nonce_ = tools_.fresh_nonce();
  deadline_ = now + answer_timeout;
  return {SendMessage{wire::Accept{.session = session_, .nonce = nonce_}}};
}

SessionActions DeviceSession::on_waiting(const wire::Waiting& message, Clock::time_point) {
  if (state_ != State::opening && state_ != State::waiting) return {};
  state_ = State::waiting;
  deadline_ =
      Clock::time_point::max();  // the keep-alive of the control connection watches the server
  return {SessionWaits{id_, message}};
}

SessionActions DeviceSession::on_refused(const wire::Refused& message) {
  if (state_ != State::opening && state_ != State::waiting) return {};
  return close(SessionEnd::from(message.code, message.text), false);
}

SessionActions DeviceSession::on_granted(const wire::Granted& message,
                                         std::vector<Ipv4Prefix> own_networks,
                                         Clock::time_point now) {
  if (state_ == State::resuming) return on_regranted(message, now);
  if (state_ != State::opening && state_ != State::waiting && state_ != State::accepted) return {};
  auto grant = check(message, std::move(own_networks));
  if (grant && grant->epoch != 1) grant = wire::Errc::bad_value;
  if (!grant)
    return close(SessionEnd::from(CloseCode::protocol, "grant: " + grant.error().message()), true);
  session_ = grant->session;
  return take(std::move(*grant), message, State::granted, now);
}

/// The networks of our own do not count: the tunnel stands already, beside them.
SessionActions DeviceSession::on_regranted(const wire::Granted& message, Clock::time_point now) {
  auto grant = check(message, {});
  if (grant)
    if (const auto goes_on = wire::check_resumed_grant(*grant, *grant_); !goes_on)
      grant = goes_on.error();
  if (grant && grant->epoch < asked_epoch_) grant = wire::Errc::stale_nonce;
  if (grant) return take(std::move(*grant), message, State::regranted, now);
  if (grant.error() != wire::Errc::stale_nonce)
    return close(SessionEnd::from(CloseCode::protocol, "grant: " + grant.error().message()), true);
  is_answered_ = true;  // it crossed our Resume, whose own answer follows
  return {};
}

SessionActions DeviceSession::take(wire::Grant grant, const wire::Granted& message, State next,
                                   Clock::time_point now) {
  state_ = next;
  request_number_ = 0;
  deadline_ = now + establish_timeout;
  ends_ = std::min(ends_, now + std::chrono::seconds{grant.seconds});
  grant_ = std::move(grant);
  return {StartSession{id_, *grant_, message.grant, message.signature, message.peer, ends_}};
}

Result<wire::Grant> DeviceSession::check(const wire::Granted& message,
                                         std::vector<Ipv4Prefix> own_networks) {
  if (!tools_.is_signed(message.grant, message.signature)) return wire::Errc::bad_signature;
  auto grant = wire::decode_grant(message.grant);
  if (!grant) return grant.error();
  if (session_ == 0) session_ = grant->session;  // to tell the server what we refuse
  const auto checked = wire::check_grant(*grant, {.role = role(),
                                                  .system = self_.identity.system,
                                                  .name = self_.identity.name,
                                                  .key_hash = self_.key_hash,
                                                  .nonce = nonce_,
                                                  .session = session_,
                                                  .mode = request_.mode,
                                                  .peer = peer_,
                                                  .own_networks = std::move(own_networks)});
  if (!checked) return checked.error();
  return grant;
}

SessionActions DeviceSession::on_close(const wire::Close& message) {
  if (state_ == State::closed) return {};
  return close(SessionEnd::from(message.code, message.text), false);
}

SessionActions DeviceSession::on_interrupted(const wire::Interrupted& message,
                                             Clock::time_point now) {
  if (message.epoch <= epoch()) return {};  // of a leg that is gone already
  if (state_ == State::granted)
    return end(CloseCode::network, "before the session was established");
  if (state_ == State::established || is_interrupted())
    asked_epoch_ = std::max(asked_epoch_, message.epoch);
  if (state_ == State::established || state_ == State::regranted)
    return interrupt(interrupted_by_server(), now);
  if (state_ == State::resuming && is_answered_) return resume_soon(now);
  return {};  // our Resume is on its way already, or soon
}

SessionActions DeviceSession::on_online(Clock::time_point now) {
  online_ = true;
  return is_without_leg() ? resume_at(now, now) : SessionActions{};
}

SessionActions DeviceSession::on_disconnected(Clock::time_point) {
  request_number_ = 0;
  online_ = false;
  if (is_without_leg()) {
    state_ = State::interrupted;
    deadline_ = Clock::time_point::max();
  }
  if (state_ == State::accepted)
    return close(SessionEnd::from(CloseCode::network, "before the session began"), false);
  if (state_ == State::opening) deadline_ = Clock::time_point::max();  // asked again when connected
  return {};
}

void DeviceSession::on_established(Clock::time_point now) {
  if (state_ != State::granted && state_ != State::regranted) return;
  state_ = State::established;
  established_at_ = now;
  kept_until_ = Clock::time_point::max();
  deadline_ = Clock::time_point::max();  // the running session counts its own time
}

SessionActions DeviceSession::on_leg_lost(std::uint32_t epoch, CloseCode code,
                                          std::string_view detail, Clock::time_point now) {
  const bool has_leg =
      state_ == State::granted || state_ == State::established || state_ == State::regranted;
  if (!has_leg || epoch != this->epoch()) return {};
  if (state_ == State::granted || !is_resumable(code)) return end(code, detail);
  return interrupt(SessionEnd::from(code, detail), now);
}

SessionActions DeviceSession::pause(CloseCode code, std::string_view detail,
                                    Clock::time_point now) {
  if (state_ != State::established && !is_interrupted()) return end(code, detail);
  paused_ = true;
  if (!is_without_leg()) return interrupt(SessionEnd::from(code, detail), now);
  state_ = State::interrupted;  // the answer to a Resume that is on its way comes to nothing
  deadline_ = Clock::time_point::max();
  return {};
}

SessionActions DeviceSession::go_on(Clock::time_point now) {
  if (!std::exchange(paused_, false)) return {};
  return online_ ? resume_at(now, now) : SessionActions{};
}

SessionActions DeviceSession::interrupt(SessionEnd why, Clock::time_point now) {
  const bool again = state_ == State::regranted;
  if (!again) {
    if (now - established_at_ >= steady_after) resumes_ = 0;
    interrupted_at_ = now;
    kept_until_ = std::min(ends_, now + wire::resume_grace);
  }
  state_ = State::interrupted;
  deadline_ = Clock::time_point::max();
  SessionActions actions{SessionInterrupted{id_, std::move(why), again}};
  if (online_)
    for (auto& action : resume_soon(now))
      actions.push_back(std::move(action));
  return actions;
}

SessionActions DeviceSession::resume_soon(Clock::time_point now) {
  const Clock::duration half =
      std::chrono::milliseconds{resume_pauses_ms[std::min(resumes_, resume_pauses_ms.size() - 1)]} /
      2;
  const auto share = static_cast<double>(tools_.random()) / 18446744073709551616.0;
  const auto jitter = static_cast<Clock::rep>(static_cast<double>(half.count()) * share);
  return resume_at(now + half + Clock::duration{jitter}, now);
}

SessionActions DeviceSession::resume_at(Clock::time_point when, Clock::time_point now) {
  if (paused_) return {};
  constexpr auto minute = std::chrono::seconds{61};  // the server's begins when it comes
  if (resumes_sent_ >= resumed_at_.size())
    when = std::max(when, resumed_at_[resumes_sent_ % resumed_at_.size()] + minute);
  if (when <= now) return resume(now);
  state_ = State::interrupted;
  deadline_ = when;
  return {};
}

SessionActions DeviceSession::resume(Clock::time_point now) {
  if (epoch() == std::numeric_limits<std::uint32_t>::max())
    return close(SessionEnd::from(CloseCode::protocol, "the session has no epoch left"), true);
  state_ = State::resuming;
  ++resumes_;
  resumed_at_[resumes_sent_++ % resumed_at_.size()] = now;
  is_answered_ = false;
  nonce_ = tools_.fresh_nonce();
  asked_epoch_ = std::max(asked_epoch_, epoch() + 1);
  deadline_ = now + wire::resume_again;
  return {SendMessage{wire::Resume{.session = session_, .epoch = asked_epoch_, .nonce = nonce_}}};
}

SessionActions DeviceSession::give_up(Clock::time_point now) {
  if (now >= ends_) return close(SessionEnd::from(CloseCode::time_limit, ""), true);
  constexpr auto minutes = std::chrono::minutes{wire::resume_grace}.count();
  const auto detail = "it did not come back within " + std::to_string(minutes) + " minutes";
  // While the server is there, it is the other end that we wait for.
  return close(SessionEnd::from(online_ ? CloseCode::peer_lost : CloseCode::network, detail), true);
}

SessionActions DeviceSession::end(CloseCode code, std::string_view detail) {
  if (state_ == State::closed) return {};
  return close(SessionEnd::from(code, detail), true);
}

SessionActions DeviceSession::on_deadline(Clock::time_point now) {
  if (state_ == State::closed || now < next_deadline()) return {};
  if (is_without_leg()) return now >= kept_until_ ? give_up(now) : resume_at(now, now);
  if (state_ == State::regranted) return interrupt(SessionEnd::from(CloseCode::no_echo, ""), now);
  if (state_ == State::opening || state_ == State::accepted)
    return close(
        SessionEnd::from(wire::RefusalCode::no_answer, "the server did not answer in time"), true);
  return close(SessionEnd::from(CloseCode::no_echo, ""), true);
}

SessionActions DeviceSession::close(SessionEnd end, bool tell_server) {
  SessionActions actions;
  if (tell_server && session_ != 0)
    actions.push_back(
        SendMessage{wire::Close{.session = session_,
                                .code = end.close,
                                .text = wire::to_plain_text(end.detail, wire::text_chars_max)}});
  else if (tell_server && request_number_ != 0)
    actions.push_back(SendMessage{wire::Cancel{.request = request_number_}});
  state_ = State::closed;
  deadline_ = Clock::time_point::max();
  actions.push_back(SessionOver{id_, std::move(end)});
  return actions;
}

}  // namespace tunnel::core
