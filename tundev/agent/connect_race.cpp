#include "agent/connect_race.hpp"

#include "agent/wakeup.hpp"

#include <algorithm>
#include <list>
#include <memory>
#include <optional>
#include <utility>

namespace device {
namespace {

struct Runner {
  tcp::socket socket;
  Clock::time_point gives_up;
};

/// Owned by connect_first() and by the handler of each attempt, which may run after it.
struct Race {
  explicit Race(const asio::any_io_executor& executor) : changed{executor} {}

  void close_all() {
    tunnel::io::error_code ignored;
    for (auto& runner : runners)
      runner.socket.close(ignored);
  }

  Wakeup changed;
  std::list<Runner> runners;  ///< each until its handler has run
  std::optional<tcp::socket> winner;
  tunnel::io::error_code last_error;
  bool one_failed = false;  ///< since the last start
  bool is_over = false;
};

/// Also when the coroutine is cancelled.
struct EndOfRace {
  explicit EndOfRace(Race& of) : race{of} {}
  EndOfRace(const EndOfRace&) = delete;
  ~EndOfRace() {
    race.is_over = true;
    race.close_all();
  }
  Race& race;
};

void start(const std::shared_ptr<Race>& race, const asio::any_io_executor& executor,
           const tcp::endpoint& endpoint) {
  race->one_failed = false;
  const auto runner = race->runners.insert(
      race->runners.end(), Runner{tcp::socket{executor}, Clock::now() + attempt_timeout});
  runner->socket.async_connect(endpoint, [race, runner](tunnel::io::error_code ec) {
    if (!ec && !race->winner && !race->is_over) race->winner = std::move(runner->socket);
    if (ec && ec != asio::error::operation_aborted) race->last_error = ec;
    if (ec) race->one_failed = true;
    race->runners.erase(runner);
    race->changed.notify();
  });
}

Clock::time_point close_late(Race& race, Clock::time_point now) {
  auto next = Clock::time_point::max();
  tunnel::io::error_code ignored;
  for (auto& runner : race.runners) {
    if (runner.gives_up > now)
      next = std::min(next, runner.gives_up);
    else
      runner.socket.close(ignored);
  }
  return next;
}

DialFailure why(const Race& race) {
  return {race.last_error ? race.last_error.message() : "it does not answer"};
}

}  // namespace

Task<std::variant<tcp::socket, DialFailure>> connect_first(std::vector<tcp::endpoint> endpoints,
                                                           Clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const auto race = std::make_shared<Race>(executor);
  const EndOfRace end{*race};
  std::size_t started = 0;
  auto next_start = Clock::now();
  for (;;) {
    const auto now = Clock::now();
    if (race->winner) co_return std::move(*race->winner);
    if (now >= deadline) co_return why(*race);
    if (started < endpoints.size() && (now >= next_start || race->one_failed)) {
      start(race, executor, endpoints[started++]);
      next_start = now + attempt_delay;
      continue;
    }
    const bool all_started = started == endpoints.size();
    if (all_started && race->runners.empty()) co_return why(*race);
    auto wake = std::min(deadline, close_late(*race, now));
    if (!all_started) wake = std::min(wake, next_start);
    co_await race->changed.wait_until(wake);
  }
}

}  // namespace device
