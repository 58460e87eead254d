#include "agent/uplink.hpp"

#include "agent/interception.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"

#include <boost/asio/ip/udp.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace device {
namespace {

using namespace std::chrono_literals;
namespace core = tunnel::core;
namespace log = tunnel::log;

/// A difference that matters to certificates (90 days) and to what people read.
constexpr auto clock_is_off = 1h;
/// Changes of the network do not make us dial more often than this.
constexpr auto retry_pause = 1s;
constexpr auto refused_text =
    ", and restart tundev-agent. It is tried again in 2 to 5 minutes only, so that the account is "
    "not locked";

}  // namespace

Uplink::Uplink(asio::any_io_executor executor, core::DeviceControl& control,
               const Identity& identity, Dialler dialler, Events events)
    : executor_{executor},
      control_{control},
      identity_{identity},
      dialler_{std::move(dialler)},
      events_{std::move(events)},
      retry_{executor},
      clock_is_wrong_{clock_is_impossible()},
      status_{fmt::format("connecting to {}", server())} {}

/// Before our own certificate was made: a machine without a battery clock.
bool Uplink::clock_is_impossible() const {
  constexpr tunnel::UnixSeconds day = 24 * 3600;
  return tunnel::unix_now() + day < identity_.certificate.not_before();
}

Task<> Uplink::run() {
  while (!stopping_) {
    last_attempt_ = Clock::now();
    const auto why = co_await connect_once();
    if (stopping_) break;
    if (std::exchange(retry_without_dates_, false)) continue;
    const auto delay = pause();
    log::info("not connected to the server",
              {log::peer(server()), log::reason(why),
               log::seconds(std::chrono::ceil<std::chrono::seconds>(delay).count())});
    co_await retry_.wait_until(Clock::now() + delay);
  }
  say("stopped");
}

Clock::duration Uplink::pause() {
  const auto now = Clock::now();
  const auto delay = reconnect_.next(now, tunnel::crypto::random_u64());
  if (std::exchange(retry_at_once_, false)) return {};
  // Nobody answered: the attempt itself was the pause, and the next SYN may find the way back.
  const bool was_pause = impatient_ && !reached_;
  return was_pause ? delay - std::min(delay, now - last_attempt_) : delay;
}

/// While a session's leg may need it soon, a SYN into a dead way is not waited for.
Clock::duration Uplink::dial_time() const {
  const bool has_session = control_.session() && control_.session()->is_granted();
  return has_session ? Clock::duration{wire::impatient_connect_timeout}
                     : Clock::duration{wire::connect_timeout};
}

Task<std::string> Uplink::connect_once() {
  goodbye_.clear();
  if (status_.empty()) say(fmt::format("connecting to {}", server()));
  auto outcome = co_await dialler_.dial(dial_time());
  reached_ = std::holds_alternative<Dialled>(outcome);
  const auto* failure = std::get_if<DialFailure>(&outcome);
  is_login_refused_ = failure != nullptr && failure->is_login_refused;
  reconnect_.set_login_refused(is_login_refused_);
  if (failure != nullptr) {
    say(fmt::format("cannot reach {}: {}{}", server(), failure->why,
                    is_login_refused_ ? refused_text : ""));
    co_return failure->why;
  }
  if (stopping_) co_return "";
  auto dialled = std::get<Dialled>(std::move(outcome));
  way_ = std::move(dialled.way);
  dates_were_checked_ = clock_is_good();
  const auto context = crypto::TlsContext::device(identity_.credentials(), identity_.ca,
                                                  wire::alpn_control, dates_were_checked_);
  link_.emplace(std::move(dialled.socket), context, [this](const wire::ControlMessage& message) {
    events_.actions(control_.on_message(message, Clock::now()));
  });
  link_->set_impatient(impatient_);
  auto why = co_await link_->handshake();
  if (!why.empty()) {
    if (link_->failed_for_dates() && dates_were_checked_)
      clock_is_wrong_ = retry_without_dates_ = true;
    else
      dialler_.on_failed(way_);
    if (auto other = why_not_our_server(link_->ssl(), why, way_.server.str()); !other.empty())
      why = std::move(other);
  } else {
    events_.actions(control_.on_connected(events_.info()));
    why = co_await link_->run();
    online_ = false;
    events_.actions(control_.on_disconnected(Clock::now()));
  }
  link_.reset();
  say(fmt::format("not connected to {}: {}", server(), goodbye_.empty() ? why : goodbye_));
  co_return why;
}

void Uplink::stop() {
  stopping_ = true;
  retry_.notify();
  if (link_) link_->close("the device stops");
}

void Uplink::on_network_changed() {
  if (!link_) {
    if (Clock::now() - last_attempt_ > retry_pause) retry_.notify();
    return;
  }
  const auto source = source_address();
  if (source && source != link_->own_address()) {
    retry_at_once_ = true;
    return link_->abandon("the network changed");
  }
  link_->check();
}

void Uplink::set_impatient(bool impatient) {
  if (std::exchange(impatient_, impatient) == impatient) return;
  reconnect_.set_impatient(impatient);
  if (link_) link_->set_impatient(impatient);
  if (impatient && !link_ && !is_login_refused_) retry_.notify();
}

void Uplink::send(const wire::ControlMessage& message) {
  if (link_) link_->send(message);
}

void Uplink::drop(std::string why) {
  if (link_) link_->close(std::move(why));
}

void Uplink::on_online(const wire::Welcome& welcome) {
  if (!dates_were_checked_ && !link_->server_is_valid_at(welcome.server_time))
    return drop("the server's certificate is not valid at the time it tells");
  told_ = ServerTime{welcome.server_time, Clock::now()};
  clock_is_wrong_ = false;  // from now on the server's time says whether it is
  if (!clock_is_good())
    log::warn("this device's clock is wrong; the server's time is used for certificates",
              {log::seconds(clock_offset().count())});
  online_ = true;
  dialler_.on_good(way_);
  reconnect_.on_online(Clock::now());
  link_->on_online(std::chrono::seconds{welcome.ping_after_seconds});
  log::info("connected to the server",
            {log::peer(way_.server.str()), log::address(welcome.public_address)});
  say(fmt::format("connected to {} since {:%Y-%m-%d %H:%M} UTC", way_text(),
                  fmt::gmtime(static_cast<time_t>(welcome.server_time))));
}

void Uplink::on_goodbye(const wire::Goodbye& goodbye) {
  log::warn("the server said goodbye",
            {log::code(to_string(goodbye.code)), log::reason(goodbye.text)});
  reconnect_.on_goodbye(goodbye.code, std::chrono::milliseconds{goodbye.retry_after_ms});
  goodbye_ = goodbye.text.empty() ? std::string{to_string(goodbye.code)} : goodbye.text;
  drop(goodbye_);
}

std::string Uplink::way_text() const {
  const auto server = way_.server.str();
  if (!way_.proxy) return server;
  return fmt::format("{} through the proxy {}", server, way_.proxy->at().str());
}

std::chrono::seconds Uplink::clock_offset() const {
  if (!told_) return {};
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - told_->at);
  return std::chrono::seconds{told_->time - tunnel::unix_now()} + since;
}

bool Uplink::clock_is_good() const {
  const auto offset = clock_offset();
  return !clock_is_wrong_ && offset <= clock_is_off && offset >= -clock_is_off;
}

std::optional<asio::ip::address> Uplink::source_address() const {
  const auto& server = way_.hop;
  if (server.port() == 0) return std::nullopt;
  // Nothing is sent: connect(2) of a datagram socket only looks up the route.
  tunnel::io::error_code ec;
  asio::ip::udp::socket probe{executor_};
  const asio::ip::udp::endpoint to{server.address(), server.port()};
  probe.open(to.protocol(), ec);
  if (!ec) probe.connect(to, ec);
  const auto local = ec ? asio::ip::udp::endpoint{} : probe.local_endpoint(ec);
  return ec ? std::nullopt : std::optional{local.address()};
}

void Uplink::say(std::string status) {
  if (status == status_) return;
  status_ = std::move(status);
  events_.status_changed();
}

}  // namespace device
