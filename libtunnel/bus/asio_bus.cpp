#include "bus/asio_bus.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>

namespace tunnel::bus {

using namespace std::chrono_literals;
using io::asio::posix::stream_descriptor;

AsioBus::AsioBus(io::asio::io_context& io, const std::string& name)
    : io_{io},
      connection_{name.empty() ? sdbus::createSystemBusConnection()
                               : sdbus::createSystemBusConnection(name)},
      socket_{io},
      timer_{io},
      alive_{std::make_shared<bool>(true)} {
  // A duplicate, so that Asio and sd-bus each own the descriptor they close.
  const int fd = ::fcntl(connection_->getEventLoopPollData().fd, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) throw sdbus::createError(errno, "duplicate the D-Bus socket");
  socket_.assign(fd);
  wake();
}

AsioBus::~AsioBus() {
  *alive_ = false;
}

void AsioBus::on_name_gone(OnNameGone handler) {
  on_name_gone_ = std::move(handler);
  if (daemon_) return;
  daemon_ = sdbus::createProxy(*connection_, "org.freedesktop.DBus", "/org/freedesktop/DBus");
  daemon_->uponSignal("NameOwnerChanged")
      .onInterface("org.freedesktop.DBus")
      .call([this](const std::string& name, const std::string&, const std::string& owner) {
        if (owner.empty() && on_name_gone_) on_name_gone_(name);
      });
  daemon_->finishRegistration();
}

void AsioBus::wake() {
  if (std::exchange(waking_, true)) return;
  io::asio::post(io_, [this, alive = alive_] {
    if (!*alive) return;
    waking_ = false;
    serve();
  });
}

void AsioBus::serve() {
  if (gone_) return;
  try {
    while (connection_->processPendingRequest()) {
    }
    const auto poll = connection_->getEventLoopPollData();
    if ((poll.events & POLLIN) != 0 && !reading_) wait_for(POLLIN);
    if ((poll.events & POLLOUT) != 0 && !writing_) wait_for(POLLOUT);
    const auto timeout =
        poll.getRelativeTimeout();  // until sd-bus wants to be called; none: no time-out runs
    timer_.expires_after(timeout ? std::clamp<Clock::duration>(*timeout, 1ms, 1h)
                                 : Clock::duration{1h});
    timer_.async_wait([this, alive = alive_](io::error_code ec) {
      if (!ec && *alive) serve();
    });
  } catch (const sdbus::Error& error) {
    log::error("lost the system bus", {log::reason(error.what())});
    lost();
  }
}

void AsioBus::wait_for(short events) {
  bool& waiting = events == POLLIN ? reading_ : writing_;
  waiting = true;
  socket_.async_wait(
      events == POLLIN ? stream_descriptor::wait_read : stream_descriptor::wait_write,
      [this, alive = alive_, &waiting](io::error_code ec) {
        if (!*alive) return;
        waiting = false;
        if (!ec) serve();
      });
}

void AsioBus::lost() {
  gone_ = true;
  timer_.cancel();
  if (on_lost_) on_lost_();
}

std::string caller(sdbus::IObject& object) {
  const auto* message = object.getCurrentlyProcessedMessage();
  return message == nullptr ? "" : message->getSender();
}

}  // namespace tunnel::bus
