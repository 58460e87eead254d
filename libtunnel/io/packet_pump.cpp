#include "io/packet_pump.hpp"

#include "crypto/tls_context.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>

namespace tunnel::io {

using wire::CloseCode;
using wire::FrameType;

namespace {

constexpr std::size_t record_bytes = 16 * 1024;  ///< plaintext of a full TLS record (RFC 8446, 5.1)
constexpr std::size_t frame_bytes_max = wire::header_bytes + wire::packet_payload_bytes_max;
/// Packets are gathered up to here before they are encrypted (SPIKE.md: 64 KiB to 256 KiB make no
/// difference).
constexpr std::size_t batch_bytes = 128 * 1024;
constexpr std::size_t rx_buffer_bytes = 256 * 1024;
/// After this much one direction lets everything else on the thread have its turn.
constexpr std::size_t turn_bytes_max = 512 * 1024;
constexpr int batches_per_turn = 4;
/// Our own frames that wait to be sent: echo requests, alive, its answers, bye. More are dropped.
constexpr std::size_t outbox_bytes_max = 4096;
constexpr unsigned ipv4_version = 4;

UniqueFd non_blocking(UniqueFd fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return fd;
}

}  // namespace

PacketPump::PacketPump(DataLeg& leg, UniqueFd tun, Options options, OnRunning on_running)
    : leg_{leg},
      ssl_{leg.inner()},
      tun_{leg.socket().get_executor(), non_blocking(std::move(tun)).release()},
      timer_{leg.socket().get_executor()},
      options_{std::move(options)},
      on_running_{std::move(on_running)},
      rules_{options_.role, options_.master_address},
      probe_{options_.master_address, options_.onsite_address, options_.echo_token},
      watch_{options_.times, Clock::now()},
      started_{Clock::now()},
      rx_(rx_buffer_bytes),
      tx_(batch_bytes + frame_bytes_max + outbox_bytes_max) {
  outbox_.reserve(outbox_bytes_max + 1024);
}

Task<LegEnd> PacketPump::run() {
  using namespace asio::experimental::awaitable_operators;
  if (!watch_.is_probing() && on_running_) on_running_(Clock::duration::zero());
  co_await (receive() && send() && watch());
  tun_.close();
  co_return *ended_;
}

void PacketPump::stop(CloseCode code, std::string text) {
  if (ended_ || stopping_) return;
  stopping_ = LegEnd{code, std::move(text)};
  bye_ends_ = Clock::now() + bye_timeout;
  timer_.cancel();
  wake_sender();
}

void PacketPump::abort(CloseCode code, std::string text) {
  end(code, std::move(text));
  tun_.close();
}

void PacketPump::end(CloseCode code, std::string text) {
  if (ended_) return;
  // What we decided to end for counts more than what broke while we said so.
  ended_ = stopping_ ? *stopping_ : LegEnd{code, std::move(text)};
  error_code ignored;
  tun_.cancel(ignored);
  leg_.socket().cancel(ignored);
  timer_.cancel();
}

// --- receiving
// ------------------------------------------------------------------------------------

Task<> PacketPump::receive() {
  while (!ended_) {
    const auto status = read_turn();
    if (status == Status::progress)
      co_await asio::post(leg_.socket().get_executor(), asio::use_awaitable);
    else if (status != Status::over)
      co_await wait_socket(status);
  }
}

Task<> PacketPump::wait_socket(Status status) {
  const auto what = status == Status::wants_read ? tcp::socket::wait_read : tcp::socket::wait_write;
  co_await leg_.socket().async_wait(what, use_tuple);
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
      if (turn_bytes > 0) watch_.on_received(Clock::now());
      return judge(result);
    }
    rx_end_ += got;
    turn_bytes += got;
    if (!take_frames()) return Status::over;
  }
  watch_.on_received(Clock::now());
  return Status::progress;
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
    case FrameType::alive: queue(FrameType::alive_answer, payload); return wake_sender();
    case FrameType::alive_answer: return;  // that it came was enough
    case FrameType::bye: {
      const auto close = wire::decode_close(payload);
      if (close) return end(close->code, close->text);
      return end(CloseCode::protocol, close.error().message());
    }
    default:
      return end(CloseCode::protocol, wire::make_error_code(wire::Errc::unexpected).message());
  }
}

void PacketPump::on_packet(ByteView payload) {
  const auto packet = wire::check_packet(payload);
  if (!packet) {
    ++counters_.dropped_malformed;
    return;
  }
  if (!rules_.accepts(*packet)) {
    ++counters_.dropped_address;
    return;
  }
  if (options_.role == wire::Role::master && probe_.is_answer(*packet)) {
    if (!watch_.is_probing()) return;  // the answer to a retry
    watch_.on_echo_answered();
    if (on_running_) on_running_(Clock::now() - started_);
    return;
  }
  counters_.rx_bytes += packet->ip.size();
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

Task<> PacketPump::send() {
  int batches = 0;
  while (!ended_) {
    fill();
    if (tx_begin_ == tx_end_) {
      if (bye_queued_) {
        ::SSL_shutdown(ssl_);
        end(CloseCode::operator_, "");
        break;
      }
      sender_waits_for_tun_ = true;
      co_await tun_.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
      sender_waits_for_tun_ = false;
      continue;
    }
    const auto status = flush();
    if (status == Status::wants_read || status == Status::wants_write) {
      co_await wait_socket(status);
    } else if (++batches >= batches_per_turn) {
      batches = 0;
      co_await asio::post(leg_.socket().get_executor(), asio::use_awaitable);
    }
  }
}

void PacketPump::fill() {
  if (tx_begin_ != tx_end_)
    return;  // a record that the socket did not take must be offered again as it is
  tx_begin_ = tx_end_ = 0;
  update_key_if_due();
  if (stopping_ && !bye_queued_) {
    bye_queued_ = true;
    const wire::Close close{options_.session, stopping_->code,
                            wire::to_plain_text(stopping_->text, wire::text_chars_max)};
    const auto bye = wire::encode_bye(close);
    outbox_.insert(outbox_.end(), bye.begin(), bye.end());
  }
  std::copy(outbox_.begin(), outbox_.end(), tx_.begin());
  tx_end_ = outbox_.size();
  outbox_.clear();
  if (!stopping_) fill_from_tun();
}

void PacketPump::fill_from_tun() {
  while (tx_end_ < batch_bytes) {
    std::byte* const frame = tx_.data() + tx_end_;
    std::byte* const payload = frame + wire::header_bytes;
    const auto got = ::read(tun_.native_handle(), payload, wire::packet_payload_bytes_max);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const bool gone = got == 0 || (errno != EAGAIN && errno != EIO);  // EIO: the link is down
      if (gone) end(CloseCode::kernel, "the TUN device is gone");
      return;
    }
    const auto bytes = static_cast<std::size_t>(got);
    const bool is_ipv4 =
        bytes > wire::vnet_header_bytes &&
        std::to_integer<unsigned>(payload[wire::vnet_header_bytes]) >> 4U == ipv4_version;
    if (!is_ipv4) {
      ++counters_.dropped_tx;
      continue;
    }
    wire::encode_header(std::span<std::byte, wire::header_bytes>{frame, wire::header_bytes},
                        FrameType::packet, bytes);
    tx_end_ += wire::header_bytes + bytes;
    counters_.tx_bytes += bytes - wire::vnet_header_bytes;
    ++counters_.tx_packets;
  }
}

PacketPump::Status PacketPump::flush() {
  while (tx_begin_ < tx_end_) {
    ::ERR_clear_error();
    std::size_t written = 0;
    const auto piece = std::min(record_bytes, tx_end_ - tx_begin_);
    const int result = ::SSL_write_ex(ssl_, tx_.data() + tx_begin_, piece, &written);
    if (result != 1) return judge(result);
    tx_begin_ += written;
    ++records_;
  }
  return Status::progress;
}

void PacketPump::update_key_if_due() {
  if (records_ < options_.key_update_records && !key_update_due_) return;
  // Only our own direction: the other end counts its own records. Sent with the next record.
  if (::SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return;
  key_update_due_ = false;
  records_ = 0;
  watch_.on_key_updated(Clock::now());
}

void PacketPump::queue(FrameType type, ByteView payload) {
  if (outbox_.size() + wire::header_bytes + payload.size() > outbox_bytes_max) return;
  std::array<std::byte, wire::header_bytes> header;
  wire::encode_header(header, type, payload.size());
  outbox_.insert(outbox_.end(), header.begin(), header.end());
  outbox_.insert(outbox_.end(), payload.begin(), payload.end());
}

void PacketPump::wake_sender() {
  if (!sender_waits_for_tun_) return;
  error_code ignored;
  tun_.cancel(ignored);
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
    case Action::send_echo: queue(FrameType::packet, probe_.request(++echoes_)); break;
    case Action::send_alive: {
      std::array<std::byte, 8> token{};
      queue(FrameType::alive, token);
      break;
    }
    case Action::update_key: key_update_due_ = true; break;
    case Action::no_echo: return stop(CloseCode::no_echo, "");
    case Action::peer_lost: return end(CloseCode::peer_lost, "");
    case Action::time_limit: return stop(CloseCode::time_limit, "");
  }
  wake_sender();
}

PacketPump::Status PacketPump::judge(int ssl_result) {
  const int saved = errno;
  const int error = ::SSL_get_error(ssl_, ssl_result);
  if (error == SSL_ERROR_WANT_READ) return Status::wants_read;
  if (error == SSL_ERROR_WANT_WRITE) return Status::wants_write;
  const auto reason = ::ERR_GET_REASON(::ERR_peek_error());
  if (error == SSL_ERROR_ZERO_RETURN) {
    end(CloseCode::peer_lost, "it ended the session without a reason");
  } else if (error == SSL_ERROR_SSL && reason != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    // The handshake is long over: whatever TLS does not like now was changed on the way.
    end(CloseCode::integrity, crypto::tls_failure(ssl_));
  } else {
    end(CloseCode::network, saved == 0 || error == SSL_ERROR_SSL
                                ? "it was cut without a word"
                                : error_code{saved, boost::system::system_category()}.message());
  }
  ::ERR_clear_error();
  return Status::over;
}

}  // namespace tunnel::io
