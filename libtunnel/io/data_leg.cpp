#include "io/data_leg.hpp"

#include "crypto/hash.hpp"
#include "io/leg_socket.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace tunnel::io {

using wire::CloseCode;
using wire::FrameType;

namespace {

crypto::SslHandle on_memory(const crypto::TlsContext& context) {
  auto ssl = context.new_ssl();
  BIO* in = ::BIO_new(::BIO_s_mem());
  BIO* out = ::BIO_new(::BIO_s_mem());
  if (in == nullptr || out == nullptr) throw crypto::CryptoError{"make a buffer for the inner TLS"};
  ::SSL_set_bio(ssl.get(), in, out);
  ::SSL_clear_mode(ssl.get(), SSL_MODE_RELEASE_BUFFERS);  // no allocation per record
  return ssl;
}

LegEnd end_from(ByteView close_payload) {
  const auto close = wire::decode_close(close_payload);
  if (!close) return {CloseCode::protocol, close.error().message()};
  return {close->code, close->text};
}

LegEnd protocol(error_code why) {
  return {CloseCode::protocol, why.message()};
}

}  // namespace

DataLeg::DataLeg(tcp::socket connected, const crypto::TlsContext& outer,
                 const crypto::TlsContext& inner, Plan plan)
    : DataLeg{TlsSocket{std::move(connected), outer}, inner, std::move(plan)} {}

DataLeg::DataLeg(TlsSocket outer, const crypto::TlsContext& inner, Plan plan)
    : outer_{std::move(outer)},
      inner_{on_memory(inner)},
      plan_{std::move(plan)},
      handoff_{{.grant_hash = plan_.confirm.grant_hash, .peer_role = plan_.peer_role}} {
  error_code ignored;
  outer_.socket().set_option(tcp::no_delay{true}, ignored);
  tune_leg(static_cast<int>(outer_.socket().native_handle()));
}

Task<std::optional<LegEnd>> DataLeg::establish() {
  auto end = co_await start();
  while (!end && !handoff_.is_done())
    end = co_await read_outer();
  if (end) {
    // An alert of the inner TLS tells the other end more than a broken connection would.
    collect_inner();
    (void)outer_.try_write(to_send_);
    outer_.close();
    co_return end;
  }
  BIO* raw = ::BIO_new_socket(static_cast<int>(outer_.socket().native_handle()), BIO_NOCLOSE);
  if (raw == nullptr) throw crypto::CryptoError{"put the inner TLS on the socket"};
  ::BIO_up_ref(raw);
  ::SSL_set0_rbio(inner_.get(), raw);
  ::SSL_set0_wbio(inner_.get(), raw);
  co_return std::nullopt;
}

Task<std::optional<LegEnd>> DataLeg::start() {
  if (const auto ec = co_await outer_.handshake(); ec) co_return outer_failure(ec);
  to_send_ = wire::encode(plan_.attach);
  if (auto end = advance()) co_return end;
  co_return co_await flush();
}

/// Reads no byte of the outer TLS behind the frame in progress: behind Switch it is not TLS of ours
/// any more.
Task<std::optional<LegEnd>> DataLeg::read_outer() {
  std::array<std::byte, 4096> chunk;
  const auto wanted = std::min(chunk.size(), outer_reader_.wanted_bytes());
  const auto got = co_await outer_.read_some(std::span{chunk}.first(wanted));
  if (!got) co_return outer_failure(got.error());
  outer_reader_.feed(std::span{chunk}.first(*got));
  for (;;) {
    const auto frame = outer_reader_.next();
    if (!frame) co_return protocol(frame.error());
    if (!*frame) break;
    if (auto end = on_outer_frame(**frame)) co_return end;
    if (auto end = co_await flush()) co_return end;
  }
  co_return std::nullopt;
}

std::optional<LegEnd> DataLeg::on_outer_frame(const wire::FrameReader::Frame& frame) {
  using Action = core::EndpointHandoff::OuterAction;
  const auto behind =
      static_cast<std::size_t>(::SSL_pending(outer_.ssl())) + outer_reader_.buffered_bytes();
  const auto action = handoff_.on_outer_frame(frame.type, frame.payload.size(), behind);
  if (!action) return protocol(action.error());
  switch (*action) {
    case Action::feed_inner:
      if (!frame.payload.empty())
        ::BIO_write(::SSL_get_rbio(inner_.get()), frame.payload.data(),
                    static_cast<int>(frame.payload.size()));
      return advance();
    case Action::switched: return pass_seam();
    case Action::detached: return detached(frame.payload);
  }
  return std::nullopt;
}

/// A server that does not take a leg of a resumed session, or lets it go before the other one came,
/// may take the next: whether the session is over, it says on the control connection.
LegEnd DataLeg::detached(ByteView close_payload) const {
  auto end = end_from(close_payload);
  const bool is_resumed = plan_.attach.epoch > 1;
  if (is_resumed && end.code == CloseCode::protocol) end.code = CloseCode::network;
  end.is_lost = end.code == CloseCode::network || end.code == CloseCode::peer_lost;
  return end;
}

std::optional<LegEnd> DataLeg::pass_seam() {
  // "RB": OpenSSL has the header of a record whose body did not come.
  const bool inside_record = std::string_view{::SSL_rstate_string(inner_.get())} == "RB";
  const auto unread = ::BIO_ctrl_pending(::SSL_get_rbio(inner_.get())) +
                      inner_reader_.buffered_bytes() + (inside_record ? 1U : 0U);
  if (const auto ec = handoff_.on_seam(unread)) return protocol(ec);
  return std::nullopt;
}

std::optional<LegEnd> DataLeg::advance() {
  if (!switch_queued_)
    if (auto end = shake_hands()) return end;
  return switch_queued_ ? read_inner() : std::nullopt;
}

std::optional<LegEnd> DataLeg::shake_hands() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(inner_.get());
  if (result != 1) {
    if (::SSL_get_error(inner_.get(), result) != SSL_ERROR_WANT_READ) return inner_failure();
    collect_inner();
    return std::nullopt;
  }
  if (const auto ec = handoff_.on_inner_handshake_done()) return protocol(ec);
  plan_.confirm.mac = crypto::hmac_sha256(crypto::exporter_key(inner_.get()),
                                          wire::confirm_signed_bytes(plan_.confirm));
  const auto confirm = wire::encode(plan_.confirm);
  std::size_t written = 0;
  if (::SSL_write_ex(inner_.get(), confirm.data(), confirm.size(), &written) != 1)
    return inner_failure();
  collect_inner();
  const auto last = wire::encode_frame(FrameType::switch_, {});
  to_send_.insert(to_send_.end(), last.begin(), last.end());
  switch_queued_ = true;
  return std::nullopt;
}

std::optional<LegEnd> DataLeg::read_inner() {
  std::array<std::byte, 2048> chunk;
  for (;;) {
    ::ERR_clear_error();
    std::size_t got = 0;
    const int result = ::SSL_read_ex(inner_.get(), chunk.data(), chunk.size(), &got);
    if (result != 1) {
      if (::SSL_get_error(inner_.get(), result) != SSL_ERROR_WANT_READ) return inner_failure();
      return std::nullopt;
    }
    inner_reader_.feed(std::span{chunk}.first(got));
    for (;;) {
      const auto frame = inner_reader_.next();
      if (!frame) return protocol(frame.error());
      if (!*frame) break;
      if (auto end = on_inner_frame(**frame)) return end;
    }
  }
}

std::optional<LegEnd> DataLeg::on_inner_frame(const wire::FrameReader::Frame& frame) {
  if (frame.type == FrameType::confirm) {
    const auto confirm = wire::decode_confirm(frame.payload);
    if (!confirm) return protocol(confirm.error());
    const auto mac = crypto::hmac_sha256(crypto::exporter_key(inner_.get()),
                                         wire::confirm_signed_bytes(*confirm));
    const auto ec = handoff_.on_confirm(*confirm, crypto::equal(mac, confirm->mac));
    if (ec == wire::Errc::wrong_party)
      return LegEnd{CloseCode::integrity, "the other end answers for another session"};
    return ec ? std::optional{protocol(ec)} : std::nullopt;
  }
  const auto action = handoff_.on_inner_frame(frame.type);
  return action ? end_from(frame.payload) : protocol(action.error());
}

void DataLeg::collect_inner() {
  if (switch_queued_) return;  // nothing of ours may follow Switch in the outer TLS
  BIO* out = ::SSL_get_wbio(inner_.get());
  std::array<std::byte, 8192> chunk;
  for (;;) {
    const int got = ::BIO_read(out, chunk.data(), static_cast<int>(chunk.size()));
    if (got <= 0) break;
    const auto frame =
        wire::encode_frame(FrameType::inner, std::span{chunk}.first(static_cast<std::size_t>(got)));
    to_send_.insert(to_send_.end(), frame.begin(), frame.end());
  }
}

Task<std::optional<LegEnd>> DataLeg::flush() {
  if (to_send_.empty()) co_return std::nullopt;
  const auto ec = co_await outer_.write(to_send_);
  to_send_.clear();
  if (ec) co_return outer_failure(ec);
  // From here on the outer TLS is deaf and dumb in our direction: neither an alert nor a KeyUpdate
  // may follow Switch.
  if (switch_queued_) ::SSL_set0_wbio(outer_.ssl(), ::BIO_new(::BIO_s_null()));
  co_return std::nullopt;
}

LegEnd DataLeg::outer_failure(error_code ec) const {
  if (ec == asio::error::operation_aborted)
    return {CloseCode::network, "the attempt was given up", true};
  const auto& failure = outer_.failure();
  return {CloseCode::network, failure.empty() ? ec.message() : failure, true};
}

LegEnd DataLeg::inner_failure() {
  return {CloseCode::integrity,
          "the other end could not be authenticated: " + crypto::tls_failure(inner_.get())};
}

}  // namespace tunnel::io
