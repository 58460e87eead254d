#include "agent/proxy_tunnel.hpp"

#include "agent/wakeup.hpp"
#include "dial/http_connect.hpp"

#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace device {
namespace {

using Step = HttpConnect::Step;

/// One request and its answer.
Task<Step> converse(tcp::socket& socket, HttpConnect& talk) {
  const auto request = talk.request();
  const auto [failed, sent] =
      co_await asio::async_write(socket, asio::buffer(request), tunnel::io::use_tuple);
  if (failed) co_return talk.on_end();
  std::array<char, 4096> chunk;
  for (;;) {
    const auto [ec, got] =
        co_await socket.async_read_some(asio::buffer(chunk), tunnel::io::use_tuple);
    const auto step = ec ? talk.on_end() : talk.on_bytes({chunk.data(), got});
    if (step != Step::more) co_return step;
  }
}

/// @return what ended it: open, again_anew or failed
Task<Step> converse_on_one(tcp::socket& socket, HttpConnect& talk) {
  for (;;) {
    const auto step = co_await converse(socket, talk);
    if (step != Step::again_here) co_return step;
  }
}

}  // namespace

Task<std::optional<DialFailure>> open_tunnel(tcp::socket& socket, tcp::endpoint hop,
                                             HostPort server, Proxy& proxy,
                                             Clock::time_point deadline) {
  using namespace asio::experimental::awaitable_operators;
  HttpConnect talk{server, proxy};
  for (;;) {
    const auto first =
        co_await (converse_on_one(socket, talk) || sleep_for(deadline - Clock::now()));
    if (first.index() == 1)
      co_return DialFailure{fmt::format("the proxy {} does not answer", proxy.at().str())};
    const auto step = std::get<0>(first);
    if (step == Step::open) co_return std::nullopt;
    if (step == Step::failed)
      co_return DialFailure{talk.why(), talk.is_final(), talk.is_login_refused()};
    std::vector<tcp::endpoint> same(1, hop);  // GCC 12: no list in braces inside a co_await
    auto again = co_await connect_first(std::move(same), deadline);
    if (auto* failure = std::get_if<DialFailure>(&again)) co_return std::move(*failure);
    socket = std::get<tcp::socket>(std::move(again));
  }
}

}  // namespace device
