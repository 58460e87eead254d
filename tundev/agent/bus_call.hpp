#pragma once
#include "bus/asio_bus.hpp"
#include "io/asio.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace device {

using tunnel::io::Task;

/// A D-Bus method failed, or did not answer in time.
struct BusFailure {
  std::string name;  ///< of the D-Bus error
  std::string text;
};

template <class... Out>
using BusAnswer = std::variant<std::tuple<Out...>, BusFailure>;

/// What to call, and how long to wait for the answer.
struct BusMethod {
  std::string interface;
  std::string name;
  std::chrono::milliseconds timeout;
};

/// Calls a method without holding up the thread. May be cancelled; a late answer is then dropped.
/// @param answer_type  e.g. BusAnswer<std::string>{}: what the method returns
template <class... Out, class... In>
Task<BusAnswer<Out...>> call(tunnel::bus::AsioBus& bus, sdbus::IProxy& proxy, BusMethod method,
                             BusAnswer<Out...> answer_type, In... in) {
  struct State {
    explicit State(tunnel::io::asio::any_io_executor executor) : done{std::move(executor)} {}
    tunnel::io::Timer done;
    std::optional<BusAnswer<Out...>> answer;
  };
  // Owned by this frame and by the pending call's handler, which may run after we were cancelled.
  auto state = std::make_shared<State>(co_await tunnel::io::asio::this_coro::executor);
  state->done.expires_after(method.timeout + std::chrono::seconds{1});
  try {
    proxy.callMethodAsync(method.name)
        .onInterface(method.interface)
        .withTimeout(method.timeout)
        .withArguments(in...)
        .uponReplyInvoke([state](const sdbus::Error* error, const Out&... out) {
          if (error != nullptr)
            state->answer = BusFailure{error->getName(), error->getMessage()};
          else
            state->answer = std::tuple<Out...>{out...};
          state->done.cancel();
        });
    bus.wake();
  } catch (const sdbus::Error& error) {
    co_return BusFailure{error.getName(), error.getMessage()};
  }
  (void)answer_type;
  if (!state->answer) co_await state->done.async_wait(tunnel::io::use_tuple);
  if (!state->answer) co_return BusFailure{"org.freedesktop.DBus.Error.NoReply", "no answer"};
  co_return std::move(*state->answer);
}

}  // namespace device
