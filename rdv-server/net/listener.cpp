#include "net/listener.hpp"

#include "base/log.hpp"
#include "wire/limits.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace rdv {

namespace log = tunnel::log;
using tunnel::Clock;
using namespace std::chrono_literals;

namespace {

/// While the kernel has no descriptor or memory for another connection.
constexpr auto accept_retry = 200ms;

std::string text_of(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  if (endpoint.address().is_v6()) return fmt::format("[{}]:{}", address, endpoint.port());
  return fmt::format("{}:{}", address, endpoint.port());
}

}  // namespace

/// Counts one connection from accept to its end.
class Listener::Present {
 public:
  explicit Present(Listener& listener) : listener_{listener} { ++listener_.present_; }
  Present(Present&&) = delete;
  ~Present() {
    --listener_.present_;
    listener_.gone_.notify();
  }

 private:
  Listener& listener_;
};

Listener::Listener(std::vector<tcp::acceptor> sockets, const tunnel::crypto::TlsContext& tls,
                   HalfOpens& half_opens, Host& host)
    : sockets_{std::move(sockets)},
      tls_{tls},
      half_opens_{half_opens},
      host_{host},
      gone_{sockets_.front().get_executor()} {}

Task<> Listener::run() {
  using asio::experimental::awaitable_operators::operator&&;
  auto all = accept_from(sockets_.front());
  for (std::size_t i = 1; i < sockets_.size(); ++i)
    all = std::move(all) && accept_from(sockets_[i]);
  co_await std::move(all);
  while (present_ > 0)
    co_await gone_.wait();
}

void Listener::stop() {
  stopping_ = true;
  error_code ignored;
  for (auto& socket : sockets_)
    socket.close(ignored);
  half_opens_.cut_all();
}

std::vector<std::string> Listener::addresses() const {
  std::vector<std::string> texts;
  error_code ignored;
  for (const auto& socket : sockets_)
    texts.push_back(text_of(socket.local_endpoint(ignored)));
  return texts;
}

Task<> Listener::accept_from(tcp::acceptor& acceptor) {
  while (!stopping_) {
    tcp::endpoint from;
    auto [ec, socket] = co_await acceptor.async_accept(from, use_tuple);
    if (stopping_) co_return;
    if (ec)
      co_await back_off(ec);
    else
      co_await take_in(std::move(socket), from);
  }
}

Task<> Listener::back_off(const error_code& why) {
  // A client that is gone again (ECONNABORTED) is no trouble of ours; no descriptor or memory would
  // be one for ever.
  if (why == asio::error::connection_aborted) co_return;
  if (const auto left_out = accept_failures_.pass(Clock::now()))
    log::error("cannot accept connections", {log::reason(why), log::count(*left_out)});
  tunnel::io::Timer timer{sockets_.front().get_executor(), Clock::now() + accept_retry};
  co_await timer.async_wait(use_tuple);
}

Task<> Listener::take_in(tcp::socket socket, tcp::endpoint from) {
  co_await half_opens_.wait_for_room();
  if (stopping_) co_return;
  if (!half_opens_.takes(from.address())) {
    note_refused(from, "too many connections that are not authenticated from this address");
    co_return;  // closes it
  }
  asio::co_spawn(socket.get_executor(), serve(std::move(socket), from), asio::detached);
}

/// The root of one connection: nothing leaves it.
Task<> Listener::serve(tcp::socket socket, tcp::endpoint from) {
  const Present present{*this};
  try {
    co_await greet(std::move(socket), from);
  } catch (const std::exception& error) {
    log::error("a connection ended by an error of ours",
               {log::peer(text_of(from)), log::reason(error.what())});
  }
}

Task<> Listener::greet(tcp::socket socket, tcp::endpoint from) {
  error_code ignored;
  socket.set_option(tcp::no_delay{true}, ignored);
  Guest guest{{std::move(socket), tls_}, nullptr, from.address().to_string()};
  auto& tls = guest.socket;
  guest.half_open = std::make_unique<HalfOpen>(half_opens_, from.address(),
                                               tls.socket().native_handle(), tls.ssl());
  if (const auto ec = co_await tls.handshake(); ec || guest.half_open->was_cut()) {
    const bool slow = guest.half_open->was_cut();
    note_refused(from, slow ? "too slow" : tls.failure().empty() ? ec.message() : tls.failure());
    co_return;
  }
  ++counters_.handshakes;
  const auto protocol = tunnel::crypto::negotiated_alpn(tls.ssl());
  if (protocol == tunnel::wire::alpn_control)
    co_await host_.serve_control(std::move(guest));
  else if (protocol == tunnel::wire::alpn_data)
    co_await host_.serve_leg(std::move(guest));
  else if (protocol == tunnel::wire::alpn_enroll)
    co_await host_.serve_enrolment(std::move(guest));
}

void Listener::note_refused(const tcp::endpoint& from, std::string_view why) {
  ++counters_.refused;
  if (const auto left_out = refusals_.pass(Clock::now()))
    log::info("refused a connection",
              {log::peer(text_of(from)), log::reason(why), log::count(*left_out)});
}

}  // namespace rdv
