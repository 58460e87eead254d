#include "core/device_session.hpp"

#include <boost/assert.hpp>

namespace tunnel::core {

using State = DeviceSession::State;
using wire::CloseCode;

std::string_view to_string(State state) {
  switch (state) {
    case State::opening: return "opening";
    case State::waiting: return "waiting";
    case State::accepted: return "opening";
    case State::granted: return "opening";
    case State::established: return "established";
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

SessionActions DeviceSession::ask(std::uint32_t number, Clock::time_point now) {
  BOOST_ASSERT(number != 0 && role() == wire::Role::master);
  if (state_ != State::opening && state_ != State::waiting) return {};
  state_ = State::opening;
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
  if (state_ != State::opening && state_ != State::waiting && state_ != State::accepted) return {};
  auto grant = check(message, std::move(own_networks));
  if (!grant)
    return close(SessionEnd::from(CloseCode::protocol, "grant: " + grant.error().message()), true);
  session_ = grant->session;
  state_ = State::granted;
  deadline_ = now + establish_timeout;
  return {StartSession{id_, std::move(*grant), message.grant, message.peer}};
}

Result<wire::Grant> DeviceSession::check(const wire::Granted& message,
                                         std::vector<Ipv4Prefix> own_networks) {
  if (!tools_.is_signed(message.grant, message.signature)) return wire::Errc::bad_signature;
  auto grant = wire::decode_grant(message.grant);
  if (!grant) return grant.error();
  session_ = role() == wire::Role::master ? grant->session
                                          : session_;  // to tell the server what we refuse
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

SessionActions DeviceSession::on_disconnected(Clock::time_point) {
  request_number_ = 0;
  if (state_ == State::accepted)
    return close(SessionEnd::from(CloseCode::network, "before the session began"), false);
  if (state_ == State::opening) deadline_ = Clock::time_point::max();  // asked again when connected
  return {};
}

void DeviceSession::on_established(Clock::time_point) {
  if (state_ != State::granted) return;
  state_ = State::established;
  deadline_ = Clock::time_point::max();  // the running session counts its own time
}

SessionActions DeviceSession::end(CloseCode code, std::string_view detail) {
  if (state_ == State::closed) return {};
  return close(SessionEnd::from(code, detail), true);
}

SessionActions DeviceSession::on_deadline(Clock::time_point now) {
  if (state_ == State::closed || now < deadline_) return {};
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
