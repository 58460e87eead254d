#include "net/relay.hpp"

#include "io/leg_socket.hpp"

#include <boost/assert.hpp>
#include <openssl/err.h>
#include <sys/socket.h>

namespace rdv {

namespace wire = tunnel::wire;
using tunnel::Clock;
using namespace std::chrono_literals;

namespace {

/// Records of the outer TLS read from one leg before other sessions get their turn.
constexpr int turn_records_max = 16;
/// After one direction ended, for what the other still has to say. Longer than the broker's
/// first_leg_close_linger, so that the broker's reason comes first.
constexpr auto end_timeout = 4s;

}  // namespace

Relay::Relay(std::uint64_t session, std::uint32_t epoch, Settings settings, Surroundings around)
    : session_{session},
      epoch_{epoch},
      settings_{settings},
      around_{around},
      changed_{around.executor},
      deadline_{around.deadlines, [this] { on_deadline(); }} {
  deadline_.expires_after(settings_.switched_within);
}

void Relay::adopt(Side side, tunnel::io::TlsSocket tls, wire::FrameReader reader) {
  BOOST_ASSERT(!leg(side).socket);
  if (stopped_) return;  // the leg is closed with `tls`
  auto [socket, ssl] = tls.release();
  tunnel::io::tune_leg(socket.native_handle());
  leg(side).socket.emplace(std::move(socket));
  leg(side).ssl = std::move(ssl);
  const auto pending = static_cast<std::size_t>(::SSL_has_pending(leg(side).ssl.get()));
  if (const auto ec = handoff_.on_attached(side, std::move(reader), pending))
    return give_up(CloseCode::protocol, ec.message());
  // The other direction may be waiting for its own leg to speak, with frames for this one in its
  // queue.
  error_code ignored;
  if (leg(other(side)).socket) leg(other(side)).socket->cancel(ignored);
  changed_.notify();
}

Task<> Relay::run() {
  using asio::experimental::awaitable_operators::operator&&;
  co_await (carry(Side::master) && carry(Side::onsite));
}

Task<> Relay::carry(Side from) {
  const auto end = co_await carry_both_phases(from);
  end_direction(from, end);
}

Task<Relay::End> Relay::carry_both_phases(Side from) {
  try {
    if (const auto end = co_await carry_frames(from)) co_return *end;
    co_return co_await carry_raw(from);
  } catch (const std::system_error& error) {  // no descriptor left for a pipe
    co_return End{End::Kind::gave_up, from,
                  error_code{error.code().value(), boost::system::system_category()}};
  }
}

/// @return nothing when the direction has left TLS at both ends
Task<std::optional<Relay::End>> Relay::carry_frames(Side from) {
  const Side to = other(from);
  int turn_records = 0;
  while (!stopped_) {
    if (turn_records >= turn_records_max) {
      turn_records = 0;
      co_await asio::post(around_.executor, use_tuple);
    } else if (!leg(from).socket || leg(to).over) {
      co_await changed_.wait();
    } else if (leg(to).socket && !handoff_.output(to).empty()) {
      const auto progress = write_frames(to);
      if (progress == Progress::failed)
        co_return End{End::Kind::leg_gone, to, asio::error::connection_reset};
      if (progress == Progress::would_wait) co_await wait_for(to, tcp::socket::wait_write);
    } else if (handoff_.is_raw(from)) {
      co_return std::nullopt;
    } else if (handoff_.reads_frames(from)) {
      error_code broken;
      ++turn_records;
      const auto progress = read_frames(from, broken);
      if (broken) co_return End{End::Kind::gave_up, from, broken};
      if (progress == Progress::failed)
        co_return End{End::Kind::leg_gone, from, asio::error::connection_reset};
      if (progress == Progress::would_wait) co_await wait_for(from, tcp::socket::wait_read);
    } else {
      co_await changed_.wait();  // it has switched, and the other leg is not there yet
    }
  }
  co_return End{};
}

Relay::Progress Relay::write_frames(Side to) {
  const auto bytes = handoff_.output(to);
  auto* ssl = leg(to).ssl.get();
  ::ERR_clear_error();
  std::size_t written = 0;
  const int result = ::SSL_write_ex(ssl, bytes.data(), bytes.size(), &written);
  if (result != 1)
    return ::SSL_get_error(ssl, result) == SSL_ERROR_WANT_WRITE ? Progress::would_wait
                                                                : Progress::failed;
  handoff_.on_written(to, written);
  return Progress::some;
}

Relay::Progress Relay::read_frames(Side from, error_code& broken) {
  auto* ssl = leg(from).ssl.get();
  ::ERR_clear_error();
  std::size_t got = 0;
  const int result = ::SSL_read_ex(ssl, around_.scratch.data(), around_.scratch.size(), &got);
  if (result != 1)
    return ::SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ ? Progress::would_wait
                                                               : Progress::failed;
  broken = handoff_.on_received(from, around_.scratch.first(got),
                                static_cast<std::size_t>(::SSL_has_pending(ssl)));
  return Progress::some;
}

/// From now on the direction that begins at `from` is raw.
void Relay::leave_tls(Side from) {
  // Whatever still happens to the outer TLS of the receiving leg (an alert, an answer to a
  // KeyUpdate) must not get between the inner records: its writes go nowhere.
  ::SSL_set0_wbio(leg(other(from)).ssl.get(), ::BIO_new(::BIO_s_null()));
  if (!is_raw()) return;
  for (auto& leg : legs_) {
    leg.ssl.reset();
    leg.carried.last = Clock::now();
  }
  deadline_.expires_at(last_moved() + settings_.idle);
}

Task<Relay::End> Relay::carry_raw(Side from) {
  leave_tls(from);
  const Side to = other(from);
  RawDirection direction{
      *leg(from).socket, *leg(to).socket, leg(from).carried, {around_.pipes, around_.moderation}};
  const auto end = co_await direction.run();
  if (stopped_ || end.whose == RawDirection::Whose::nobody) co_return End{};
  const bool by_sender = end.whose == RawDirection::Whose::sender;
  co_return End{End::Kind::leg_gone, by_sender ? from : to, end.why};
}

tunnel::Clock::time_point Relay::last_moved() const {
  return std::max(leg(Side::master).carried.last, leg(Side::onsite).carried.last);
}

/// Ends early, for nothing, when a leg came: look again. After it, look first if the relay was
/// stopped.
Task<> Relay::wait_for(Side side, tcp::socket::wait_type what) {
  co_await leg(side).socket->async_wait(what, use_tuple);
}

void Relay::end_direction(Side from, const End& end) {
  leg(from).over = true;
  if (stopped_ || end.kind == End::Kind::stopped) return;
  if (end.kind == End::Kind::gave_up) {
    const bool ours = end.why.category() == boost::system::system_category();
    return give_up(ours ? CloseCode::network : CloseCode::protocol, end.why.message());
  }
  if (leg(other(from)).over) return close_legs();
  const bool first = !std::exchange(ending_, true);
  deadline_.expires_after(end_timeout);
  // A leg that is still in TLS is told why by stop(), when the broker knows; one that is raw sees
  // the end of its stream.
  if (handoff_.is_raw(from))
    ::shutdown(fd(other(from)), SHUT_WR);
  else
    ::shutdown(fd(end.whose), SHUT_RDWR);
  if (first) around_.events.on_leg_closed(*this, end.whose);
}

void Relay::give_up(CloseCode code, std::string_view why) {
  around_.events.on_gave_up(*this, code, why);
  stop(code, why);
}

void Relay::on_deadline() {
  if (ending_) return stop(CloseCode::peer_lost, "the other device is gone");
  if (!is_raw())
    return give_up(CloseCode::network, "the devices did not find to each other in time");
  if (Clock::now() - last_moved() >= settings_.idle)
    return give_up(CloseCode::idle, "nothing was said for too long");
  deadline_.expires_at(last_moved() + settings_.idle);
}

void Relay::stop(CloseCode code, std::string_view text) {
  if (stopped_) return;
  const auto detach =
      wire::encode_detach({.session = session_, .code = code, .text = std::string{text}});
  say(Side::master, detach);
  say(Side::onsite, detach);
  close_legs();
}

/// Our last words in the outer TLS, where it still takes them, as far as the socket takes them at
/// once.
void Relay::say(Side to, const tunnel::Bytes& last_words) {
  if (!leg(to).socket || !leg(to).ssl || !handoff_.takes_frames(to) || !handoff_.output(to).empty())
    return;
  ::ERR_clear_error();
  std::size_t written = 0;
  ::SSL_write_ex(leg(to).ssl.get(), last_words.data(), last_words.size(), &written);
  ::ERR_clear_error();
  // Unread bytes would turn the close into a reset, and the words would be lost (RFC
  // 1122, 4.2.2.13).
  ::shutdown(fd(to), SHUT_WR);
  for (int i = 0;
       i < 16 && ::recv(fd(to), around_.scratch.data(), around_.scratch.size(), MSG_DONTWAIT) > 0;
       ++i) {
  }
}

void Relay::close_legs() {
  stopped_ = true;
  deadline_.cancel();
  error_code ignored;
  for (auto& leg : legs_)
    if (leg.socket) leg.socket->close(ignored);
  changed_.notify();
}

}  // namespace rdv
