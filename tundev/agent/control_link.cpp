#include "agent/control_link.hpp"

#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <utility>

namespace device {

using namespace asio::experimental::awaitable_operators;
using tunnel::core::Keepalive;

Task<std::string> ControlLink::handshake() {
  tunnel::io::error_code ec;
  tls_.socket().set_option(asio::ip::tcp::no_delay{true}, ec);
  const auto first = co_await (tls_.handshake() || sleep_for(greeting_timeout()));
  if (first.index() == 1) {
    tls_.close();
    co_return "it did not answer in time";
  }
  const auto failed = std::get<0>(first);
  if (!failed) co_return "";
  co_return tls_.failure().empty() ? "it closed the connection" : tls_.failure();
}

Task<std::string> ControlLink::run() {
  deadline_ = Clock::now() + greeting_timeout();
  co_await (read() || write() || watch());
  tls_.shutdown();
  tls_.close();
  co_return why_;
}

void ControlLink::send(const wire::ControlMessage& message) {
  if (closing_) return;
  if (outbox_.size() >= outbox_messages_max) return fail("it takes no more messages");
  outbox_.push_back(wire::encode(message));
  outbox_wakeup_.notify();
}

void ControlLink::close(std::string why) {
  if (closing_) return;
  closing_ = true;
  if (why_.empty()) why_ = std::move(why);
  deadline_ = Clock::now() + close_timeout;
  outbox_wakeup_.notify();
  watch_wakeup_.notify();
}

void ControlLink::fail(std::string why) {
  outbox_.clear();
  close(std::move(why));
}

void ControlLink::abandon(std::string why) {
  fail(std::move(why));
  deadline_ = Clock::now();
}

void ControlLink::on_online(std::chrono::seconds ping_after) {
  ping_after_ = ping_after;
  begin_keepalive();
}

void ControlLink::begin_keepalive() {
  const auto times = impatient_
                         ? Keepalive::Times{impatient_ping_after, wire::impatient_pong_timeout}
                         : Keepalive::Times{ping_after_, wire::pong_timeout};
  keepalive_.emplace(times, Clock::now());
  watch_wakeup_.notify();
}

void ControlLink::set_impatient(bool impatient) {
  impatient_ = impatient;
  if (!keepalive_) return;  // not welcomed yet
  begin_keepalive();
  if (impatient) check();
}

void ControlLink::check() {
  if (!keepalive_ || closing_ || check_ends_) return;
  check_ends_ = Clock::now() + wire::impatient_pong_timeout;
  send(wire::Ping{.token = ++pings_});
  watch_wakeup_.notify();
}

Clock::duration ControlLink::greeting_timeout() const {
  return impatient_ ? Clock::duration{impatient_timeout}
                    : Clock::duration{wire::authenticated_timeout};
}

std::optional<asio::ip::address> ControlLink::own_address() {
  tunnel::io::error_code ec;
  const auto end = tls_.socket().local_endpoint(ec);
  return ec ? std::nullopt : std::optional{end.address()};
}

bool ControlLink::failed_for_dates() const {
  const auto verdict = ::SSL_get_verify_result(tls_.ssl());
  return verdict == X509_V_ERR_CERT_NOT_YET_VALID || verdict == X509_V_ERR_CERT_HAS_EXPIRED;
}

bool ControlLink::server_is_valid_at(tunnel::UnixSeconds now) const {
  const auto* certificate = ::SSL_get0_peer_certificate(tls_.ssl());
  auto when = static_cast<time_t>(now);
  return certificate != nullptr && ::X509_cmp_time(::X509_get0_notBefore(certificate), &when) < 0 &&
         ::X509_cmp_time(::X509_get0_notAfter(certificate), &when) > 0;
}

Task<> ControlLink::read() {
  std::array<std::byte, 4096> chunk;
  while (!closing_) {
    const auto got = co_await tls_.read_some(chunk);
    if (!got) {
      if (why_.empty()) why_ = why_it_broke(got.error());
      co_return;
    }
    if (keepalive_) keepalive_->on_received(Clock::now());
    check_ends_.reset();
    if (!take(std::span{chunk}.first(*got))) break;
  }
  // What is still to be sent, and the time-out, are the other two's.
  Wakeup never{tls_.get_executor()};
  co_await never.wait();
}

std::string ControlLink::why_it_broke(tunnel::io::error_code ec) const {
  if (ec == asio::error::eof) return "the server closed the connection";
  const bool has_more = ec == tunnel::io::TlsErrc::failed && !tls_.failure().empty();
  return "the connection broke: " + (has_more ? tls_.failure() : ec.message());
}

bool ControlLink::take(tunnel::ByteView bytes) {
  reader_.feed(bytes);
  while (!closing_) {
    const auto frame = reader_.next();
    if (!frame) {
      fail("the server broke the protocol: " + frame.error().message());
      break;
    }
    if (!*frame) return true;
    const auto message = wire::decode_control((*frame)->type, (*frame)->payload);
    if (!message) {
      fail("the server broke the protocol: " + message.error().message());
      break;
    }
    on_message_(*message);
  }
  return false;
}

Task<> ControlLink::write() {
  for (;;) {
    while (!outbox_.empty()) {
      const auto frame = std::move(outbox_.front());
      outbox_.pop_front();
      const auto ec = co_await tls_.write(frame);
      if (!ec) continue;
      if (why_.empty()) why_ = why_it_broke(ec);
      co_return;
    }
    if (closing_) co_return;
    co_await outbox_wakeup_.wait();
  }
}

Task<> ControlLink::watch() {
  for (;;) {
    const auto now = Clock::now();
    if (closing_ || !keepalive_) {
      if (now >= deadline_) {
        if (!closing_) why_ = "the server did not greet us in time";
        co_return;
      }
    } else if (check_ends_ && now >= *check_ends_) {
      why_ = "the server no longer answers";
      co_return;
    } else {
      switch (keepalive_->on_deadline(now)) {
        case Keepalive::Action::none: break;
        case Keepalive::Action::send_ping: send(wire::Ping{.token = ++pings_}); break;
        case Keepalive::Action::close: why_ = "the server no longer answers"; co_return;
      }
    }
    co_await watch_wakeup_.wait_until(next_deadline());
  }
}

tunnel::Clock::time_point ControlLink::next_deadline() const {
  if (closing_ || !keepalive_) return deadline_;
  return std::min(keepalive_->next_deadline(), check_ends_.value_or(Clock::time_point::max()));
}

}  // namespace device
