#include "core/device_control.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace tunnel::core {

using wire::CloseCode;
using wire::Errc;

namespace {

ControlActions drop(Errc why) {
  return {DropConnection{why}};
}
ControlActions send(wire::ControlMessage message) {
  return {SendMessage{std::move(message)}};
}

template <class Message, class... Any>
inline constexpr bool is_any_of = (std::is_same_v<Message, Any> || ...);

}  // namespace

ControlActions DeviceControl::on_connected(wire::Info info) {
  BOOST_ASSERT(state_ == State::offline);
  state_ = State::greeting;
  info_ = std::move(info);
  info_told_ = true;
  wire::Hello hello;
  hello.info = info_;
  if (unsaid_) hello.sessions.push_back(unsaid_->session);
  if (session_ && session_->is_granted()) hello.sessions.push_back(session_->session());
  return send(std::move(hello));
}

ControlActions DeviceControl::on_disconnected(Clock::time_point now) {
  state_ = State::offline;
  lists_.clear();
  renewing_ = false;
  return session_ ? take(session_->on_disconnected(now)) : ControlActions{};
}

ControlActions DeviceControl::on_message(const wire::ControlMessage& message,
                                         Clock::time_point now) {
  if (state_ == State::offline) return drop(Errc::unexpected);
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&message))
    return {ServerSaidGoodbye{*goodbye}};
  if (state_ == State::greeting) {
    auto actions = on_greeting(message);
    if (state_ == State::online)
      for (auto& action : on_welcomed(now))
        actions.push_back(std::move(action));
    return actions;
  }
  return std::visit(
      [&](const auto& m) -> ControlActions {
        using Message = std::decay_t<decltype(m)>;
        if constexpr (is_any_of<Message, wire::Ping>)
          return send(wire::Pong{.token = m.token});
        else if constexpr (is_any_of<Message, wire::Pong>)
          return {};
        else if constexpr (is_any_of<Message, wire::Waiting, wire::Offer, wire::Granted,
                                     wire::Interrupted>)
          return on_online(m, now);
        else if constexpr (is_any_of<Message, wire::Listing, wire::Refused, wire::Close,
                                     wire::Renewed>)
          return on_online(m);
        else
          return drop(Errc::unexpected);
      },
      message);
}

ControlActions DeviceControl::on_greeting(const wire::ControlMessage& message) {
  const auto* welcome = std::get_if<wire::Welcome>(&message);
  if (welcome == nullptr) return drop(Errc::unexpected);
  if (welcome->version < wire::version_min || welcome->version > wire::version_max)
    return drop(Errc::unsupported_version);
  const wire::Identity said{welcome->system, welcome->role, welcome->name};
  if (said != self_.identity) return drop(Errc::wrong_party);
  state_ = State::online;
  ControlActions actions{Online{*welcome}};
  if (!std::exchange(info_told_, true))
    actions.emplace_back(SendMessage{wire::InfoUpdate{.info = info_}});
  return actions;
}

ControlActions DeviceControl::on_welcomed(Clock::time_point now) {
  ControlActions actions;
  if (unsaid_) actions.emplace_back(SendMessage{*std::exchange(unsaid_, std::nullopt)});
  if (!session_) return actions;
  auto asked = is_master() ? session_->ask(next_request(), now) : SessionActions{};
  auto resumed = session_->on_online(now);
  asked.insert(asked.end(), std::make_move_iterator(resumed.begin()),
               std::make_move_iterator(resumed.end()));
  for (auto& action : take(std::move(asked)))
    actions.push_back(std::move(action));
  return actions;
}

bool DeviceControl::is_asked(std::uint32_t request) const {
  return session_ && request != 0 && session_->request_number() == request;
}

ControlActions DeviceControl::on_online(const wire::Listing& message) {
  if (!is_master()) return drop(Errc::unexpected);
  const auto list = std::ranges::find(lists_, message.request, &ListInProgress::request);
  if (list == lists_.end()) return {};  // forgotten: it took too long
  if (list->devices.size() + message.devices.size() > listed_devices_max)
    return drop(Errc::too_long);
  list->devices.insert(list->devices.end(), message.devices.begin(), message.devices.end());
  if (!message.last) return {};
  Listed done{list->request, std::move(list->devices)};
  lists_.erase(list);
  return {std::move(done)};
}

ControlActions DeviceControl::on_online(const wire::Waiting& message, Clock::time_point now) {
  if (!is_master()) return drop(Errc::unexpected);
  return is_asked(message.request) ? take(session_->on_waiting(message, now)) : ControlActions{};
}

ControlActions DeviceControl::on_online(const wire::Refused& message) {
  if (!is_master()) return drop(Errc::unexpected);
  const auto list = std::ranges::find(lists_, message.request, &ListInProgress::request);
  if (list != lists_.end()) lists_.erase(list);
  return is_asked(message.request) ? take(session_->on_refused(message)) : ControlActions{};
}

ControlActions DeviceControl::on_online(const wire::Offer& message, Clock::time_point now) {
  if (is_master()) return drop(Errc::unexpected);
  const auto decline = [&](wire::RefusalCode code, std::string text) {
    return send(wire::Decline{.session = message.session, .code = code, .text = std::move(text)});
  };
  if (session_)
    return decline(wire::RefusalCode::busy, "it serves " + session_->peer().str() + " already");
  if (message.mode == wire::Mode::l2 && !allows_l2_)
    return decline(wire::RefusalCode::mode_unsupported,
                   "the customer does not let it join networks in mode L2 (l2 = false in its "
                   "device.toml)");
  if (!unready_.empty()) return decline(wire::RefusalCode::declined, unready_);
  session_.emplace(++last_offered_id_, self_, tools_, message);
  ControlActions actions{SessionOffered{session_->id(), message.master, message.mode}};
  for (auto& action : take(session_->accept(now)))
    actions.push_back(std::move(action));
  return actions;
}

ControlActions DeviceControl::on_online(const wire::Granted& message, Clock::time_point now) {
  const auto grant = wire::decode_grant(message.grant);
  const bool first = is_master() ? is_asked(message.request)
                                 : session_ && session_->state() == DeviceSession::State::accepted;
  const bool resumed = session_ && session_->state() == DeviceSession::State::resuming &&
                       message.request == 0 && grant && grant->session == session_->session();
  if (first || resumed) {
    auto networks = networks_;
    if (info_.lan) networks.push_back(*info_.lan);
    return take(session_->on_granted(message, std::move(networks), now));
  }
  // It crossed our Cancel, or a local end: the server must not go on with it.
  if (!grant || (session_ && session_->session() == grant->session)) return {};
  return send(wire::Close{.session = grant->session, .code = CloseCode::operator_, .text = ""});
}

ControlActions DeviceControl::on_online(const wire::Close& message) {
  if (!session_ || session_->session() != message.session) return {};
  return take(session_->on_close(message));
}

ControlActions DeviceControl::on_online(const wire::Interrupted& message, Clock::time_point now) {
  if (!session_ || session_->session() != message.session) return {};
  return take(session_->on_interrupted(message, now));
}

ControlActions DeviceControl::on_online(const wire::Renewed& message) {
  if (!std::exchange(renewing_, false)) return {};
  return {CertificateRenewed{message.certificate}};
}

ControlActions DeviceControl::on_info(wire::Info info) {
  if (info == info_) return {};
  info_ = std::move(info);
  info_told_ = state_ == State::online;  // while greeting it is sent behind Welcome
  return state_ == State::online ? send(wire::InfoUpdate{.info = info_}) : ControlActions{};
}

ControlActions DeviceControl::on_deadline(Clock::time_point now) {
  return session_ ? take(session_->on_deadline(now)) : ControlActions{};
}

Clock::time_point DeviceControl::next_deadline() const {
  return session_ ? session_->next_deadline() : Clock::time_point::max();
}

ControlActions DeviceControl::open(std::uint64_t id, DeviceSession::Request request,
                                   Clock::time_point now) {
  BOOST_ASSERT(is_master() && !session_);
  session_.emplace(id, self_, tools_, std::move(request));
  return state_ == State::online ? take(session_->ask(next_request(), now)) : ControlActions{};
}

ControlActions DeviceControl::list(std::uint32_t& request) {
  BOOST_ASSERT(is_master() && state_ == State::online);
  request = next_request();
  if (lists_.size() >= lists_max) lists_.erase(lists_.begin());
  lists_.push_back({request, {}});
  return send(wire::List{.request = request});
}

ControlActions DeviceControl::renew(Bytes csr) {
  BOOST_ASSERT(state_ == State::online);
  renewing_ = true;
  return send(wire::Renew{.csr = std::move(csr)});
}

ControlActions DeviceControl::end(std::uint64_t id, CloseCode code, std::string_view detail) {
  return session_ && session_->id() == id ? take(session_->end(code, detail)) : ControlActions{};
}

ControlActions DeviceControl::on_leg_lost(std::uint64_t id, std::uint32_t epoch, CloseCode code,
                                          std::string_view detail, Clock::time_point now) {
  if (!session_ || session_->id() != id) return {};
  return take(session_->on_leg_lost(epoch, code, detail, now));
}

void DeviceControl::on_established(std::uint64_t id, Clock::time_point now) {
  if (session_ && session_->id() == id) session_->on_established(now);
}

void DeviceControl::adopt(std::uint64_t id, DeviceSession::Kept kept, Clock::time_point now) {
  BOOST_ASSERT(!session_);
  session_.emplace(id, self_, tools_, std::move(kept), now);
}

ControlActions DeviceControl::pause(std::uint64_t id, CloseCode code, std::string_view detail,
                                    Clock::time_point now) {
  if (!session_ || session_->id() != id) return {};
  return take(session_->pause(code, detail, now));
}

ControlActions DeviceControl::go_on(std::uint64_t id, Clock::time_point now) {
  return session_ && session_->id() == id ? take(session_->go_on(now)) : ControlActions{};
}

ControlActions DeviceControl::take(SessionActions actions) {
  if (session_->state() == DeviceSession::State::closed) session_.reset();
  ControlActions taken;
  for (auto& action : actions) {
    if (auto* send = std::get_if<SendMessage>(&action);
        send != nullptr && state_ != State::online) {
      if (auto* close = std::get_if<wire::Close>(&send->message)) unsaid_ = std::move(*close);
      continue;  // of what was only asked for, it learns by the loss of the connection
    }
    std::visit([&](auto& a) { taken.emplace_back(std::move(a)); }, action);
  }
  return taken;
}

std::uint32_t DeviceControl::next_request() {
  if (++last_request_ == 0) ++last_request_;
  return last_request_;
}

}  // namespace tunnel::core
