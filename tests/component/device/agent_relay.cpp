#include "component/device/agent_relay.hpp"

#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <deque>

namespace agent_test {

using namespace std::chrono_literals;
using tunnel::io::error_code;
using tunnel::io::use_tuple;
using wire::FrameType;

struct Relay::Leg {
  Leg(tcp::socket s, const crypto::TlsContext& context, std::size_t n)
      : socket{std::move(s)}, tls{context.new_ssl()}, index{n}, wakeup{socket.get_executor()} {}

  tcp::socket socket;
  tunnel::test::TlsEnd tls;
  std::size_t index;
  wire::FrameReader reader{wire::Channel::data};
  bool attached = false, switched = false, told_switch = false;
  std::size_t inner_frames = 0;
  std::deque<Bytes> frames;  ///< payloads of `inner`, for the other leg
  std::string raw;           ///< an unfinished record
  std::size_t records = 0;
  std::deque<Bytes> raw_out;  ///< whole records, for the other leg
  std::string out;
  tunnel::io::Timer wakeup;
  bool broken = false;
  std::string seen;
};

Relay::Relay(asio::io_context& io, const tunnel::test::World& world)
    : io_{io},
      context_{crypto::TlsContext::server(world.server_credentials(), world.ca())},
      acceptor_{io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}} {}

Relay::~Relay() = default;

Task<> Relay::accept_leg() {
  auto [ec, socket] = co_await acceptor_.async_accept(use_tuple);
  BOOST_REQUIRE(!ec);
  socket.set_option(tcp::no_delay{true});
  legs_.push_back(std::make_unique<Leg>(std::move(socket), context_, legs_.size()));
  auto& leg = *legs_.back();
  asio::co_spawn(io_, read(leg), asio::detached);
  asio::co_spawn(io_, flush(leg), asio::detached);
}

Task<> Relay::accept_legs() {
  for (;;)
    co_await accept_leg();
}

Task<> Relay::read(Leg& leg) {
  std::array<std::byte, 65536> chunk;
  for (;;) {
    const auto [ec, got] = co_await leg.socket.async_read_some(asio::buffer(chunk), use_tuple);
    if (ec) break;
    leg.seen.append(tunnel::as_text(std::span{chunk}.first(got)));
    take(leg, std::span{chunk}.first(got));
  }
  leg.broken = true;
  leg.wakeup.cancel();
  // What a relay does: the other leg goes too.
  if (raw_goes_to(leg.index) < legs_.size()) break_leg(raw_goes_to(leg.index));
  error_code ignored;
  leg.socket.close(ignored);
}

void Relay::take(Leg& leg, ByteView bytes) {
  if (leg.switched) return take_raw(leg, bytes);
  leg.tls.put_input(tunnel::as_text(bytes));
  if (!leg.tls.finished()) {
    leg.tls.step();
    collect(leg);
  }
  if (leg.tls.finished()) take_outer(leg);
  for (auto& other : legs_)
    deliver(*other);
}

void Relay::take_outer(Leg& leg) {
  std::array<std::byte, 16384> plain;
  while (!leg.switched) {
    // One record at a time: behind Switch come bytes that are not of this TLS.
    std::size_t got = 0;
    ::ERR_clear_error();
    if (::SSL_read_ex(leg.tls.ssl(), plain.data(), plain.size(), &got) != 1) break;
    leg.reader.feed(std::span{plain}.first(got));
    for (;;) {
      const auto frame = leg.reader.next();
      BOOST_REQUIRE(frame.has_value());
      if (!*frame) break;
      const auto& payload = (*frame)->payload;
      if ((*frame)->type == FrameType::attach) leg.attached = true;
      if ((*frame)->type == FrameType::inner)
        leg.frames.emplace_back(payload.begin(), payload.end());
      if ((*frame)->type == FrameType::switch_) {
        leg.switched = true;
        // What the memory BIO holds behind the last record is raw already.
        std::array<std::byte, 65536> rest;
        BIO* in = ::SSL_get_rbio(leg.tls.ssl());
        const int behind = ::BIO_read(in, rest.data(), static_cast<int>(rest.size()));
        if (behind > 0) take_raw(leg, std::span{rest}.first(static_cast<std::size_t>(behind)));
        break;
      }
    }
  }
}

void Relay::take_raw(Leg& leg, ByteView bytes) {
  leg.raw.append(tunnel::as_text(bytes));
  while (leg.raw.size() >= 5) {
    const auto length =
        5U + static_cast<unsigned char>(leg.raw[3]) * 256U + static_cast<unsigned char>(leg.raw[4]);
    if (leg.raw.size() < length) break;
    auto record = tunnel::to_bytes(leg.raw.substr(0, length));
    leg.raw.erase(0, length);
    const auto index = leg.records++;
    if (!meddle) {
      leg.raw_out.push_back(std::move(record));
    } else {
      for (auto& changed : meddle(leg.index, index, std::move(record)))
        leg.raw_out.push_back(std::move(changed));
    }
  }
  deliver(leg);
}

/// Passes on what `from` has, as far as the other leg is there.
void Relay::deliver(Leg& from) {
  const auto first = handshake_goes_to(from.index);
  if (first >= legs_.size() || !legs_[first]->attached) return;
  auto& to = *legs_[first];
  while (!from.frames.empty()) {
    auto payload = std::move(from.frames.front());
    from.frames.pop_front();
    if (meddle_handshake) meddle_handshake(from.index, from.inner_frames, payload);
    ++from.inner_frames;
    to.tls.write(tunnel::as_text(wire::encode_frame(FrameType::inner, payload)));
    collect(to);
  }
  if (!from.switched) return;
  if (!from.told_switch) {
    from.told_switch = true;
    to.tls.write(tunnel::as_text(wire::encode_frame(FrameType::switch_, {})));
    if (speaks_behind_switch)
      to.tls.write(tunnel::as_text(wire::encode_frame(FrameType::inner, {})));
    collect(to);
  }
  const auto second = raw_goes_to(from.index);
  if (frozen || second >= legs_.size()) return;
  while (!from.raw_out.empty()) {
    write(*legs_[second], from.raw_out.front());
    from.raw_out.pop_front();
  }
}

void Relay::collect(Leg& leg) {
  write(leg, tunnel::as_bytes(leg.tls.take_output()));
}

void Relay::write(Leg& leg, ByteView bytes) {
  if (bytes.empty()) return;
  leg.out.append(tunnel::as_text(bytes));
  leg.wakeup.cancel();
}

Task<> Relay::flush(Leg& leg) {
  while (!leg.broken) {
    if (leg.out.empty()) {
      leg.wakeup.expires_after(1h);
      co_await leg.wakeup.async_wait(use_tuple);
      continue;
    }
    if (cut == Cut::coalesced) {  // let everything gather that can come without an answer to this
      tunnel::io::Timer pause{leg.socket.get_executor()};
      pause.expires_after(5ms);
      co_await pause.async_wait(use_tuple);
    }
    auto piece = leg.out.size();
    if (cut == Cut::single_bytes) piece = 1;
    if (cut == Cut::random) piece = std::min<std::size_t>(piece, 1 + random_() % 700);
    auto bytes = leg.out.substr(0, piece);
    leg.out.erase(0, piece);
    const auto [ec, sent] = co_await asio::async_write(leg.socket, asio::buffer(bytes), use_tuple);
    leg.seen.append(bytes);
    if (ec) break;
  }
}

void Relay::break_leg(std::size_t index) {
  auto& leg = *legs_[index];
  error_code ignored;
  leg.socket.shutdown(tcp::socket::shutdown_both, ignored);
}

std::size_t Relay::raw_records(std::size_t leg) const {
  return legs_.at(leg)->records;
}

const std::string& Relay::seen(std::size_t leg) const {
  return legs_.at(leg)->seen;
}

}  // namespace agent_test
