#include "agent/dial.hpp"

#include "agent/wakeup.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace device {
namespace {

using Outcome = std::variant<tcp::socket, DialFailure>;
using tunnel::io::error_code;
using tunnel::io::use_tuple;

constexpr char default_port[] = "443";

Task<std::variant<std::vector<tcp::endpoint>, DialFailure>> resolve(std::string server) {
  const auto at = HostPort::parse(server);
  if (!at) co_return DialFailure{"it is not a host and a port"};
  tcp::resolver resolver{co_await asio::this_coro::executor};
  error_code literal;
  (void)asio::ip::make_address(at->host, literal);
  const auto flags = literal ? tcp::resolver::numeric_service
                             : tcp::resolver::numeric_service | tcp::resolver::numeric_host;
  const auto [ec, found] = co_await resolver.async_resolve(at->host, at->port, flags, use_tuple);
  if (ec) co_return DialFailure{"its name cannot be resolved: " + ec.message()};
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found)
    endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

Task<Outcome> dial_one(tcp::endpoint endpoint, Clock::duration time) {
  using namespace asio::experimental::awaitable_operators;
  tcp::socket socket{co_await asio::this_coro::executor};
  const auto first =
      co_await (socket.async_connect(endpoint, tunnel::io::use_tuple) || sleep_for(time));
  if (first.index() == 1) co_return DialFailure{"it does not answer"};
  const auto [ec] = std::get<0>(first);
  if (ec) co_return DialFailure{ec.message()};
  co_return std::move(socket);
}

}  // namespace

std::optional<HostPort> HostPort::parse(std::string_view text) {
  HostPort at{.host = {}, .port = default_port};
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    at.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && !text.starts_with(':')) return std::nullopt;
    if (!text.empty()) at.port = text.substr(1);
  } else {
    const auto colon = text.find(':');
    at.host = text.substr(0, colon);
    if (colon != std::string_view::npos) at.port = text.substr(colon + 1);
  }
  const bool digits =
      !at.port.empty() && at.port.size() <= 5 &&
      std::all_of(at.port.begin(), at.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (at.host.empty() || !digits) return std::nullopt;
  return at;
}

Task<Outcome> dial(std::string server) {
  auto resolved = co_await resolve(std::move(server));
  if (auto* failure = std::get_if<DialFailure>(&resolved)) co_return *failure;
  const auto& endpoints = std::get<0>(resolved);
  const auto ends = Clock::now() + tunnel::wire::connect_timeout;
  DialFailure last{"it has no address"};
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // Each address gets its share of the time that is left, so that a dead first one does not take
    // it all.
    const auto left = ends - Clock::now();
    if (left <= Clock::duration::zero()) break;
    auto outcome = co_await dial_one(endpoints[i], left / static_cast<int>(endpoints.size() - i));
    if (std::holds_alternative<tcp::socket>(outcome)) co_return outcome;
    last = std::get<DialFailure>(outcome);
  }
  co_return last;
}

Task<Outcome> dial(tcp::endpoint endpoint) {
  co_return co_await dial_one(endpoint, tunnel::wire::connect_timeout);
}

}  // namespace device
