#include "emulator/cable.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace emulator {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int events_max = 16;
constexpr std::uint64_t seed_default = 1;

[[noreturn]] void fail(const std::string& attempted) {
  throw std::system_error{errno, std::generic_category(), attempted};
}

tunnel::UniqueFd stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) fail("block SIGTERM");
  return tunnel::UniqueFd{::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)};
}

/// What differs between the two directions, so that they do not lose the same frames.
constexpr std::uint64_t down_seed(std::uint64_t seed) {
  return seed ^ 0x9e3779b97f4a7c15ULL;
}

}  // namespace

Cable::Cable(const Ends& ends)
    : epoll_{::epoll_create1(EPOLL_CLOEXEC)},
      signals_{stop_signals()},
      near_{ends.near},
      far_{ends.far},
      up_{near_, far_, seed_default},
      down_{far_, near_, down_seed(seed_default)},
      control_{ends.control, epoll_.get()} {
  for (const int fd : {signals_.get(), near_.fd(), far_.fd()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("watch the links");
  }
}

void Cable::run() {
  while (!stopped_) {
    deliver(up_);
    deliver(down_);
    wait();
  }
}

void Cable::receive(Way& way) {
  way.in.receive([&way](FramePtr frame, Clock::time_point arrived) {
    way.direction.arrive(std::move(frame), arrived);
  });
}

/// Hands on one batch of what is due; there may be more, and then wait() returns at once.
void Cable::deliver(Way& way) {
  std::array<FramePtr, PacketPort::batch_frames> batch;
  std::size_t count = 0;
  const auto now = Clock::now();
  while (count < batch.size() && (batch[count] = way.direction.take_due(now))) {
    way.edge.lateness.add(now - way.direction.last_due());
    ++count;
  }
  if (count > 0) way.out.send(std::span{batch}.first(count));
}

void Cable::wait() {
  auto due = up_.direction.next_due();
  if (const auto other = down_.direction.next_due(); other && (!due || *other < *due)) due = other;
  timespec timeout{};
  if (due) {
    const auto left = std::max(nanoseconds::zero(), *due - Clock::now());
    timeout.tv_sec = static_cast<time_t>(left / seconds{1});
    timeout.tv_nsec = static_cast<long>((left % seconds{1}).count());
  }
  std::array<epoll_event, events_max> events;
  const int count =
      ::epoll_pwait2(epoll_.get(), events.data(), events_max, due ? &timeout : nullptr, nullptr);
  if (count < 0 && errno != EINTR) fail("wait for frames");
  for (int n = 0; n < count; ++n)
    on_ready(events[static_cast<std::size_t>(n)].data.fd);
}

void Cable::on_ready(int fd) {
  if (fd == near_.fd()) return receive(up_);
  if (fd == far_.fd()) return receive(down_);
  if (fd == signals_.get()) {
    stopped_ = true;
    return;
  }
  control_.on_readable(fd, [this](std::string_view request) { return answer(request); });
}

std::string Cable::answer(std::string_view text) try {
  const auto request = parse_request(text, up_.direction.settings(), down_.direction.settings());
  const auto now = Clock::now();
  up_.direction.set(request.up, now);
  down_.direction.set(request.down, now);
  if (request.seed) {
    up_.direction.seed(*request.seed);
    down_.direction.seed(down_seed(*request.seed));
  }
  for (auto* way : {&up_, &down_}) {
    if (!request.reset) continue;
    way->direction.reset_counters();
    way->edge = {};
    way->in.reset_counters();
  }
  return state();
} catch (const std::invalid_argument& error) {
  return format_error(error.what());
}

std::string Cable::state() {
  for (auto* way : {&up_, &down_}) {
    way->edge.not_read = way->in.not_read();
    way->edge.too_long = way->in.too_long();
    way->edge.not_sent = way->out.not_sent();
  }
  return format_answer({up_.direction, up_.edge}, {down_.direction, down_.edge});
}

}  // namespace emulator
