#include "net/control_connection.hpp"

#include "base/log.hpp"

#include <sys/socket.h>

namespace rdv {

namespace log = tunnel::log;
namespace wire = tunnel::wire;

namespace {

/// Records read and messages handled for one connection before the others get their turn: a message
/// may cost a question to the store.
constexpr int turn_steps_max = 16;
/// What the kernel may keep of answers for a device that takes none; it would grow to megabytes.
constexpr int unsent_bytes_max = 128 * 1024;

}  // namespace

ControlConnection::ControlConnection(ConnectionId id, Guest guest, const Surroundings& around)
    : id_{id},
      around_{around},
      socket_{std::move(guest.socket)},
      half_open_{std::move(guest.half_open)} {
  ::setsockopt(socket_.socket().native_handle(), SOL_SOCKET, SO_SNDBUF, &unsent_bytes_max,
               sizeof unsent_bytes_max);
}

void ControlConnection::wait_to_read() {
  reading_ = true;
  socket_.socket().async_wait(tcp::socket::wait_read, [this](const error_code&) {
    reading_ = false;
    on_readable();
  });
}

void ControlConnection::on_readable() {
  for (int step = 0; step < turn_steps_max; ++step) {
    if (cut_) return end(asio::error::operation_aborted);
    if (!closing_ && take_frame()) continue;
    const auto got = try_read(socket_, around_.scratch);
    if (!got) return got.error() == asio::error::would_block ? wait_to_read() : end(got.error());
    if (!closing_) reader_.feed(around_.scratch.first(*got));
  }
  reading_ = true;
  asio::post(socket_.get_executor(), [this] {
    reading_ = false;
    on_readable();
  });
}

/// Handles one message. What the store or the keys cannot do ends this connection and no other.
/// @return false when no whole message is there
bool ControlConnection::take_frame() try {
  const auto frame = reader_.next();
  if (frame && !*frame) return false;
  const auto message =
      frame ? wire::decode_control((*frame)->type, (*frame)->payload) : frame.error();
  if (message) {
    half_open_.reset();  // it speaks: authenticated
    around_.sink.run(around_.broker.on_message(id_, *message, read_clocks()));
  } else {
    around_.sink.run(around_.broker.on_bad_message(id_, message.error(), read_clocks()));
    closing_ = true;  // whatever the broker made of it: nothing behind it can be read
  }
  return true;
} catch (const std::exception& error) {
  why_ = error.what();
  log::error("cannot serve a device", {log::reason(why_)});
  cut();
  return true;
}

void ControlConnection::end(const error_code& why) {
  if (why_.empty()) why_ = half_open_ && half_open_->was_cut() ? "no Hello in time" : why.message();
  cut();
  // Otherwise when that wait has ended.
  if (!writing_) around_.owner.on_ended(id_, std::move(why_));
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
  if (closing_) return;
  closing_ = true;
  if (goodbye) {
    why_ = goodbye->text;
    send(*goodbye);
  }
  last_words_ = std::make_unique<Deadline>(around_.deadlines, [this] { cut(); });
  last_words_->expires_after(last_words_timeout);
  if (!writing_) flush();
}

void ControlConnection::flush() {
  if (ended_) return;
  const auto taken = socket_.try_write(outbox_);
  if (!taken) return cut();
  outbox_.erase(outbox_.begin(), outbox_.begin() + static_cast<std::ptrdiff_t>(*taken));
  if (!outbox_.empty()) return wait_to_write();
  tunnel::Bytes{}.swap(outbox_);
  if (!closing_) return;
  ended_ = true;
  socket_.shutdown();
  ::shutdown(socket_.socket().native_handle(), SHUT_WR);
}

void ControlConnection::wait_to_write() {
  writing_ = true;
  socket_.socket().async_wait(tcp::socket::wait_write, [this](const error_code&) {
    writing_ = false;
    if (!reading_) return around_.owner.on_ended(id_, std::move(why_));  // reading has ended before
    flush();
  });
}

/// Both directions are shut down, so that the waits are over; on_readable() does the rest.
void ControlConnection::cut() {
  cut_ = ended_ = closing_ = true;
  ::shutdown(socket_.socket().native_handle(), SHUT_RDWR);
  error_code ignored;
  socket_.socket().cancel(ignored);
}

}  // namespace rdv
