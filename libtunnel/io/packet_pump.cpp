#include "io/packet_pump.hpp"

#include "base/endian.hpp"
#include "crypto/tls_context.hpp"
#include "io/tun_read.hpp"
#include "wire/ethernet.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace tunnel::io {

using wire::CloseCode;
using wire::FrameType;

namespace {

constexpr std::size_t record_bytes = 16 * 1024;  ///< plaintext of a full TLS record (RFC 8446, 5.1)
constexpr std::size_t rx_buffer_bytes = 256 * 1024;
/// After this much one direction lets everything else on the thread have its turn.
constexpr std::size_t turn_bytes_max = 512 * 1024;

}  // namespace

PacketPump::PacketPump(DataLeg& leg, int tun, Options options, OnRunning on_running)
    : leg_{leg},
      ssl_{leg.inner()},
      tun_{leg.socket().get_executor(), borrow_tun(tun)},
      timer_{leg.socket().get_executor()},
      ack_timer_{leg.socket().get_executor(), Clock::time_point::max()},
      blocked_timer_{leg.socket().get_executor(), Clock::time_point::max()},
      options_{std::move(options)},
      on_running_{std::move(on_running)},
      rules_{options_.role, options_.master_address},
      probe_{options_.master_address, options_.onsite_address, options_.echo_token},
      watch_{options_.times, Clock::now()},
      started_{Clock::now()},
      sender_{ssl_, tun, counters_, options_.sender},
      rx_(rx_buffer_bytes) {
  for (auto& packet : std::exchange(options_.kept, {}))
    sender_.put_back(std::exchange(packet, {}));  // never twice in memory
}

PacketPump::~PacketPump() {
  if (tun_.is_open()) tun_.release();
}

Task<LegEnd> PacketPump::run() {
  using namespace asio::experimental::awaitable_operators;
  if (!watch_.is_probing() && on_running_) on_running_(Clock::duration::zero());
  send();
  co_await (receive() && read_tun() && write_socket() && acknowledge() && watch());
  if (tun_.is_open()) tun_.release();
  co_return *ended_;
}

void PacketPump::stop(CloseCode code, std::string text) {
  if (ended_ || stopping_) return;
  stopping_ = LegEnd{code, std::move(text)};
  bye_ends_ = Clock::now() + bye_timeout;
  timer_.cancel();
  say_bye();
}

void PacketPump::say_bye() {
  const wire::Close close{options_.session, stopping_->code,
                          wire::to_plain_text(stopping_->text, wire::text_chars_max)};
  sender_.finish(wire::encode_bye(close));
  send();
}

void PacketPump::abort(CloseCode code, std::string text) {
  end(code, std::move(text));
  if (tun_.is_open()) tun_.release();
}

void PacketPump::leave_to(core::KeepBuffer& keep, std::uint32_t epoch) {
  sender_.leave_to(keep, epoch, Clock::now());
}

void PacketPump::end(CloseCode code, std::string text) {
  end(LegEnd{code, std::move(text)});
}

/// The session may go on over another leg.
void PacketPump::lose(CloseCode code, std::string text) {
  end(LegEnd{code, std::move(text), true});
}

void PacketPump::end(LegEnd why) {
  if (ended_) return;
  // What we decided to end for counts more than what broke while we said so.
  ended_ = stopping_ ? *stopping_ : std::move(why);
  sender_.send_rest();
  error_code ignored;
  tun_.cancel(ignored);
  leg_.socket().cancel(ignored);
  timer_.cancel();
  ack_timer_.cancel();
  blocked_timer_.cancel();
}

// --- receiving
// ------------------------------------------------------------------------------------

Task<> PacketPump::receive() {
  while (!ended_) {
    const auto status = read_turn();
    if (has_received()) watch_.on_received(Clock::now());
    if (status == Status::progress)
      co_await asio::post(leg_.socket().get_executor(), asio::use_awaitable);
    else if (status == Status::wants_read)
      co_await leg_.socket().async_wait(tcp::socket::wait_read, use_tuple);
  }
}

PacketPump::EchoToken PacketPump::echo_token() const {
  EchoToken token;
  tunnel::store_big_endian(token, options_.echo_token);
  return token;
}

bool PacketPump::has_received() {
  const auto bytes = ::BIO_number_read(::SSL_get_rbio(ssl_));
  return std::exchange(rx_raw_bytes_, bytes) != bytes;
}

PacketPump::Status PacketPump::read_turn() {
  std::size_t turn_bytes = 0;
  while (turn_bytes < turn_bytes_max) {
    if (rx_.size() - rx_end_ < record_bytes) {
      std::memmove(rx_.data(), rx_.data() + rx_begin_, rx_end_ - rx_begin_);
      rx_end_ -= rx_begin_;
      rx_begin_ = 0;
    }
    ::ERR_clear_error();
    std::size_t got = 0;
    const int result = ::SSL_read_ex(ssl_, rx_.data() + rx_end_, rx_.size() - rx_end_, &got);
    if (result != 1) {
      const auto status = judge(result);
      if (turn_bytes > 0) end_read_turn();
      return status;
    }
    rx_end_ += got;
    turn_bytes += got;
    if (!take_frames()) return Status::over;
  }
  end_read_turn();
  return Status::progress;
}

void PacketPump::end_read_turn() {
  const auto now = Clock::now();
  if (rx_packet_bytes_ > 0) acks_.on_received(std::exchange(rx_packet_bytes_, 0), now);
  holes_.check(static_cast<int>(leg_.socket().native_handle()), now);
  const bool told = acknowledge_if_due(now);
  if (std::exchange(news_for_sender_, false) || told) send();
}

/// @return false when the session is over
bool PacketPump::take_frames() {
  while (!ended_ && rx_end_ - rx_begin_ >= wire::header_bytes) {
    const ByteView rest{rx_.data() + rx_begin_, rx_end_ - rx_begin_};
    const auto header =
        wire::decode_header(wire::Channel::end_to_end, rest.first<wire::header_bytes>());
    if (!header) {
      end(CloseCode::protocol, header.error().message());
      return false;
    }
    if (rest.size() < wire::header_bytes + header->payload_bytes) break;
    rx_begin_ += wire::header_bytes + header->payload_bytes;
    if (!header->optional_unknown)
      on_frame(header->type, rest.subspan(wire::header_bytes, header->payload_bytes));
  }
  if (rx_begin_ == rx_end_) rx_begin_ = rx_end_ = 0;
  return !ended_;
}

void PacketPump::on_frame(FrameType type, ByteView payload) {
  switch (type) {
    case FrameType::packet: return on_packet(payload);
    case FrameType::ack: return on_ack(payload);
    case FrameType::alive:
      sender_.queue(FrameType::alive_answer, payload);
      news_for_sender_ = true;
      return;
    case FrameType::alive_answer: return on_alive_answer(payload);
    case FrameType::bye: {
      const auto close = wire::decode_close(payload);
      if (close) return end(close->code, close->text);
      return end(CloseCode::protocol, close.error().message());
    }
    default:
      return end(CloseCode::protocol, wire::make_error_code(wire::Errc::unexpected).message());
  }
}

void PacketPump::on_ack(ByteView payload) {
  const auto ack = wire::decode_ack(payload);
  if (!ack) return end(CloseCode::protocol, ack.error().message());
  const auto now = Clock::now();
  if (!sender_.on_ack(*ack, now))
    return end(CloseCode::protocol, "it acknowledged what it cannot have got");
  watch_flight(now);
  losses_.check(static_cast<int>(leg_.socket().native_handle()), now);
  if (losses_.has_bbr() || ack->lossy) sender_.keep_busy();
  news_for_sender_ = true;
}

void PacketPump::on_packet(ByteView payload) {
  rx_packet_bytes_ += wire::header_bytes + payload.size();
  if (is_bridged()) return on_ethernet(payload);
  on_ip(payload);
}

void PacketPump::on_ethernet(ByteView payload) {
  if (wire::check_frame(payload)) return take_in(payload);
  ++counters_.dropped_malformed;
}

void PacketPump::on_ip(ByteView payload) {
  const auto packet = wire::check_packet(payload);
  if (!packet) {
    ++counters_.dropped_malformed;
    return;
  }
  if (!rules_.accepts(*packet)) {
    ++counters_.dropped_address;
    return;
  }
  if (options_.role == wire::Role::master && probe_.is_answer(*packet)) return on_proven();
  take_in(payload);
}

/// In L2 the question through the whole path.
void PacketPump::on_alive_answer(ByteView payload) {
  if (is_bridged() && std::ranges::equal(payload, echo_token())) on_proven();
}

void PacketPump::on_proven() {
  if (!watch_.is_probing()) return;  // the answer to a retry
  watch_.on_echo_answered();
  if (on_running_) on_running_(Clock::now() - started_);
}

void PacketPump::take_in(ByteView payload) {
  counters_.rx_bytes += payload.size() - wire::vnet_header_bytes;
  ++counters_.rx_packets;
  write_tun(payload);
}

void PacketPump::write_tun(ByteView payload) {
  const auto written = ::write(tun_.native_handle(), payload.data(), payload.size());
  if (written >= 0 || ended_) return;
  if (errno == EBADFD || errno == EBADF) return end(CloseCode::kernel, "the TUN device is gone");
  ++counters_
        .dropped_kernel;  // not taken now (queue full, link down) or not at all: as a network does
}

// --- sending
// --------------------------------------------------------------------------------------

void PacketPump::send() {
  using Turn = PacketSender::Turn;
  if (ended_) return;
  const auto now = Clock::now();
  const auto turn = sender_.run(now);
  watch_flight(now);
  if (sender_.take_key_updated()) watch_.on_key_updated(now);
  switch (turn) {
    case Turn::idle: return;
    case Turn::more: {
      more_to_send_ = true;
      error_code ignored;
      if (tun_reader_waits_) tun_.cancel(ignored);
      return;
    }
    case Turn::blocked:
      if (!std::exchange(sender_is_blocked_, true)) blocked_timer_.cancel();
      return;
    case Turn::tls: judge(sender_.ssl_result()); return;
    case Turn::cut: return lose(CloseCode::network, sender_.socket_error().message());
    case Turn::tun_gone: return end(CloseCode::kernel, "the TUN device is gone");
    case Turn::finished: return end(CloseCode::operator_, "");
  }
}

void PacketPump::watch_flight(Clock::time_point now) {
  watch_.on_flight(sender_.window().bytes_in_flight() > 0, now);
  if (!stopping_ && watch_.next_deadline() < timer_.expiry()) timer_.cancel();
}

/// Packets that come, and turns of the sender that did not fit into one.
Task<> PacketPump::read_tun() {
  while (!ended_) {
    if (std::exchange(more_to_send_, false)) {
      co_await asio::post(leg_.socket().get_executor(), asio::use_awaitable);
    } else {
      tun_reader_waits_ = true;
      co_await tun_.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
      tun_reader_waits_ = false;
      if (const auto now = Clock::now(); acks_.may_ride(now)) queue_ack(now);
    }
    send();
  }
}

/// A socket that took no more.
Task<> PacketPump::write_socket() {
  while (!ended_) {
    if (!sender_is_blocked_) {
      co_await blocked_timer_.async_wait(use_tuple);
      continue;
    }
    co_await leg_.socket().async_wait(tcp::socket::wait_write, use_tuple);
    sender_is_blocked_ = false;
    send();
  }
}

// --- acknowledging
// --------------------------------------------------------------------------------

/// @return true when the sender has something new to send
bool PacketPump::acknowledge_if_due(Clock::time_point now) {
  if (!acks_.has_news()) return false;
  if (acks_.due() <= now) {
    queue_ack(now);
    return true;
  }
  if (!ack_timed_) {
    ack_timed_ = true;
    ack_timer_.expires_at(acks_.due());
  }
  return false;
}

void PacketPump::queue_ack(Clock::time_point now) {
  sender_.queue(FrameType::ack, wire::encode_ack(acks_.take(now, holes_.is_lossy())));
}

Task<> PacketPump::acknowledge() {
  while (!ended_) {
    if (!ack_timed_) ack_timer_.expires_at(Clock::time_point::max());
    co_await ack_timer_.async_wait(use_tuple);
    const auto now = Clock::now();
    if (!ack_timed_ || ended_ || now < ack_timer_.expiry()) continue;
    ack_timed_ = false;
    if (acknowledge_if_due(now)) send();
  }
}

// --- time and failures
// ----------------------------------------------------------------------------

Task<> PacketPump::watch() {
  while (!ended_) {
    const auto now = Clock::now();
    if (stopping_) {
      if (now >= bye_ends_) end(CloseCode::operator_, "");
    } else {
      auto action = watch_.on_deadline(now);
      for (; action != core::SessionWatch::Action::none && !ended_ && !stopping_;
           action = watch_.on_deadline(now))
        on_watch(action);
    }
    if (ended_) break;
    timer_.expires_at(stopping_ ? bye_ends_ : watch_.next_deadline());
    co_await timer_.async_wait(use_tuple);
  }
}

void PacketPump::on_watch(core::SessionWatch::Action action) {
  using Action = core::SessionWatch::Action;
  switch (action) {
    case Action::none: return;
    case Action::send_echo: send_echo(); break;
    case Action::send_alive: {
      std::array<std::byte, 8> token{};
      sender_.queue(FrameType::alive, token);
      break;
    }
    case Action::update_key: sender_.request_key_update(); break;
    case Action::no_echo:
      return options_.resumes ? lose(CloseCode::no_echo, "") : stop(CloseCode::no_echo, "");
    case Action::peer_lost: return lose(CloseCode::peer_lost, "");
    case Action::time_limit: return stop(CloseCode::time_limit, "");
  }
  send();
}

void PacketPump::send_echo() {
  if (is_bridged())
    sender_.queue(FrameType::alive, echo_token());
  else
    sender_.queue(FrameType::packet, probe_.request(++echoes_));
}

PacketPump::Status PacketPump::judge(int ssl_result) {
  const int saved = errno;
  const int error = ::SSL_get_error(ssl_, ssl_result);
  if (error == SSL_ERROR_WANT_READ) return Status::wants_read;
  const auto reason = ::ERR_GET_REASON(::ERR_peek_error());
  if (error == SSL_ERROR_ZERO_RETURN) {
    lose(CloseCode::peer_lost, "it ended the connection without a reason");
  } else if (error == SSL_ERROR_SSL && reason != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    // The handshake is long over: whatever TLS does not like now was changed on the way.
    end(CloseCode::integrity, crypto::tls_failure(ssl_));
  } else {
    lose(CloseCode::network, saved == 0 || error == SSL_ERROR_SSL
                                 ? "it was cut without a word"
                                 : error_code{saved, boost::system::system_category()}.message());
  }
  ::ERR_clear_error();
  return Status::over;
}

}  // namespace tunnel::io
