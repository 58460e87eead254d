#include "bus/supervisor.hpp"

#include "base/log.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tunnel::bus {

Supervisor::Supervisor(io::asio::io_context& io, Questions questions)
    : timer_{io},
      questions_{std::move(questions)},
      is_watched_{std::getenv("NOTIFY_SOCKET") != nullptr} {
  std::uint64_t timeout_us = 0;
  if (::sd_watchdog_enabled(0, &timeout_us) > 0)
    period_ = std::min(period_, std::chrono::microseconds{timeout_us / signs_per_timeout});
}

void Supervisor::ready() {
  if (!is_watched_) return;
  ::sd_notify(0, "READY=1");
  tick();
}

void Supervisor::stopping() {
  stopping_ = true;
  ::sd_notify(0, "STOPPING=1");
  if (is_watched_) tick();
}

void Supervisor::tick() {
  const auto trouble = stopping_ ? std::string{} : this->trouble();
  if (trouble != trouble_) {
    if (trouble.empty())
      log::info("the self-check passes again");
    else
      log::error("the self-check fails", {log::reason(trouble)});
    trouble_ = trouble;
  }
  const bool alive = trouble.empty();
  say(stopping_ ? "stopping" : alive ? questions_.status() : trouble, alive);
  timer_.expires_after(period_);
  timer_.async_wait([this](io::error_code ec) {
    if (!ec) tick();
  });
}

std::string Supervisor::trouble() const try {
  return questions_.trouble();
} catch (const std::exception& error) {
  return error.what();
}

void Supervisor::say(std::string status, bool alive) {
  std::ranges::replace(status, '\n', ' ');  // a line is a field
  std::string message;
  if (status != status_) message = "STATUS=" + status + '\n';
  if (alive) message += "WATCHDOG=1\n";
  if (message.empty() || ::sd_notify(0, message.c_str()) < 0) return;  // said again at the next one
  status_ = std::move(status);
}

}  // namespace tunnel::bus
