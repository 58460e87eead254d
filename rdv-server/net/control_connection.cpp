#include "net/control_connection.hpp"

#include "base/log.hpp"

#include <sys/socket.h>

namespace rdv {

namespace log = tunnel::log;
namespace wire = tunnel::wire;

namespace {

/// Read from one connection before the others get their turn.
constexpr std::size_t turn_bytes_max = 128 * 1024;

}  // namespace

ControlConnection::ControlConnection(ConnectionId id, Guest guest, Surroundings around)
    : id_{id}, guest_{std::move(guest)}, around_{around} {}

Task<std::string> ControlConnection::run() {
  std::size_t turn_bytes = 0;
  for (;;) {
    const auto got = co_await guest_.socket.read_some(around_.scratch);
    if (!got) {
      if (why_.empty())
        why_ = guest_.half_open && guest_.half_open->was_cut() ? "no Hello in time"
                                                               : got.error().message();
      break;
    }
    if (!closing_) take_in(around_.scratch.first(*got));
    if ((turn_bytes += *got) < turn_bytes_max) continue;
    turn_bytes = 0;
    co_await asio::post(guest_.socket.get_executor(), use_tuple);
  }
  cut();
  // The handler of the last wait refers to us: it was cancelled and is in the queue already.
  while (writing_)
    co_await asio::post(guest_.socket.get_executor(), use_tuple);
  co_return why_;
}

/// What the store or the keys cannot do ends this connection and no other.
void ControlConnection::take_in(tunnel::ByteView bytes) try {
  reader_.feed(bytes);
  take_frames();
} catch (const std::exception& error) {
  why_ = error.what();
  log::error("cannot serve a device", {log::address(guest_.address), log::reason(why_)});
  cut();
}

void ControlConnection::take_frames() {
  while (!closing_) {
    const auto frame = reader_.next();
    if (frame && !*frame) return;
    const auto message =
        frame ? wire::decode_control((*frame)->type, (*frame)->payload) : frame.error();
    if (!message)
      return around_.sink.run(around_.broker.on_bad_message(id_, message.error(), read_clocks()));
    guest_.half_open.reset();  // it speaks: authenticated
    around_.sink.run(around_.broker.on_message(id_, *message, read_clocks()));
  }
}

void ControlConnection::send(const wire::ControlMessage& message) {
  if (ended_) return;
  const auto frame = wire::encode(message);
  if (outbox_.size() + frame.size() > outbox_bytes_max) {
    why_ = "it does not take what we send";
    return cut();
  }
  outbox_.insert(outbox_.end(), frame.begin(), frame.end());
  if (!writing_) flush();
}

void ControlConnection::close(const std::optional<wire::Goodbye>& goodbye) {
  if (closing_ || ended_) return;
  closing_ = true;
  if (goodbye) {
    why_ = goodbye->text;
    send(*goodbye);
  }
  last_words_.emplace(around_.deadlines, [this] { cut(); });
  last_words_->expires_after(last_words_timeout);
  if (!writing_) flush();
}

void ControlConnection::flush() {
  if (ended_) return;
  const auto taken = guest_.socket.try_write(outbox_);
  if (!taken) return cut();
  outbox_.erase(outbox_.begin(), outbox_.begin() + static_cast<std::ptrdiff_t>(*taken));
  if (!outbox_.empty()) return wait_to_write();
  tunnel::Bytes{}.swap(outbox_);
  if (!closing_) return;
  ended_ = true;
  guest_.socket.shutdown();
  ::shutdown(guest_.socket.socket().native_handle(), SHUT_WR);
}

void ControlConnection::wait_to_write() {
  writing_ = true;
  guest_.socket.socket().async_wait(tcp::socket::wait_write, [this](const error_code&) {
    writing_ = false;
    flush();
  });
}

/// Both directions are shut down and not closed, so that nobody gets the descriptor's number while
/// a wait on it is pending.
void ControlConnection::cut() {
  ended_ = closing_ = true;
  ::shutdown(guest_.socket.socket().native_handle(), SHUT_RDWR);
  error_code ignored;
  guest_.socket.socket().cancel(ignored);
}

}  // namespace rdv
