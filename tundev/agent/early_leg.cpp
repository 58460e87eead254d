#include "agent/early_leg.hpp"

#include "wire/limits.hpp"

#include <algorithm>
#include <utility>

namespace device {

struct EarlyLeg::State {
  State(const Identity& identity, bool check_dates, const asio::any_io_executor& executor)
      : context{crypto::TlsContext::device(identity.credentials(), identity.ca, wire::alpn_data,
                                           check_dates)},
        began{Clock::now()},
        changed{executor} {}

  crypto::TlsContext context;
  Clock::time_point began;
  Wakeup changed;
  std::optional<tunnel::io::TlsSocket> tls;
  bool is_over = false;   ///< ready, or failed
  bool is_wanted = true;  ///< somebody will take it
};

EarlyLeg::EarlyLeg(const Identity& identity, Way way, bool check_dates,
                   const asio::any_io_executor& executor)
    : state_{std::make_shared<State>(identity, check_dates, executor)} {
  asio::co_spawn(executor, make(state_, std::move(way)), asio::detached);
}

EarlyLeg::~EarlyLeg() {
  if (!state_) return;
  state_->is_wanted = false;
  if (state_->tls) state_->tls->close();
}

Task<> EarlyLeg::make(std::shared_ptr<State> state, Way way) {
  using namespace asio::experimental::awaitable_operators;
  auto dialled = co_await dial(std::move(way));
  auto* connected = std::get_if<tcp::socket>(&dialled);
  if (connected != nullptr && state->is_wanted) {
    tunnel::io::TlsSocket tls{std::move(*connected), state->context};
    const auto shaken = co_await (tls.handshake() || sleep_for(lifetime));
    const bool good = shaken.index() == 0 && !std::get<0>(shaken);
    if (good && state->is_wanted) state->tls.emplace(std::move(tls));
  }
  state->is_over = true;
  state->changed.notify();
}

Task<std::optional<tunnel::io::TlsSocket>> EarlyLeg::take(Clock::duration patience) {
  const auto state = state_;
  const auto until = std::min(state->began + lifetime, Clock::now() + patience);
  if (!state->is_over) co_await state->changed.wait_until(until);
  const bool is_fresh = Clock::now() - state->began < lifetime;
  if (!state->tls || !is_fresh) co_return std::nullopt;
  co_return std::exchange(state->tls, std::nullopt);
}

}  // namespace device
