// rdv-plain-forwarder: a TCP forwarder made of the relay's own parts, to compare the relay with
// other forwarders (docs/PERFORMANCE.md, "relay").
#include "net/raw_direction.hpp"

#include <sys/resource.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string_view>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using rdv::error_code;
using rdv::RawDirection;
using rdv::Task;
using rdv::use_tuple;

/// "192.0.2.1:80"; nothing when it is not like that.
std::optional<tcp::endpoint> to_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  error_code ec;
  const auto address = asio::ip::make_address_v4(text.substr(0, colon), ec);
  std::uint16_t port = 0;
  const auto* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (ec || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return tcp::endpoint{address, port};
}

class Forwarder {
 public:
  /// What outlives the connections: those that are left are destroyed with their io_context.
  struct Shared {
    rdv::PipePool pipes;
    rdv::Carried carried;  ///< in both directions of all connections
  };

  /// @throws boost::system::system_error  cannot listen on `own`
  Forwarder(asio::io_context& io, Shared& shared, const tcp::endpoint& own, tcp::endpoint target)
      : shared_{shared},
        acceptor_{io, own},
        target_{std::move(target)},
        moderation_{io.get_executor()} {}

  Task<> accept() {
    for (;;) {
      auto [ec, client] = co_await acceptor_.async_accept(use_tuple);
      if (ec) co_return;
      asio::co_spawn(acceptor_.get_executor(), serve(std::move(client)), asio::detached);
    }
  }

 private:
  Task<> serve(tcp::socket client) {
    using asio::experimental::awaitable_operators::operator&&;
    tcp::socket server{client.get_executor()};
    if (auto [ec] = co_await server.async_connect(target_, use_tuple); ec) co_return;
    for (auto* socket : {&client, &server}) {
      socket->non_blocking(true);
      socket->set_option(tcp::no_delay{true});
    }
    co_await (carry(client, server) && carry(server, client));
  }

  Task<> carry(tcp::socket& from, tcp::socket& to) {
    RawDirection direction{from, to, shared_.carried, {shared_.pipes, moderation_}};
    const auto end = co_await direction.run();
    error_code ignored;
    if (end.why == asio::error::eof) {
      to.shutdown(tcp::socket::shutdown_send, ignored);
    } else {
      from.close(ignored);
      to.close(ignored);
    }
  }

  Shared& shared_;
  tcp::acceptor acceptor_;
  tcp::endpoint target_;
  rdv::Moderation moderation_;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// Runs until SIGTERM or SIGINT.
void forward(const tcp::endpoint& own, const tcp::endpoint& target) {
  Forwarder::Shared shared;
  asio::io_context io{1};
  Forwarder forwarder{io, shared, own, target};
  asio::co_spawn(io, forwarder.accept(), asio::detached);
  asio::signal_set signals{io, SIGTERM, SIGINT};
  signals.async_wait([&](error_code, int) { io.stop(); });
  std::puts("ready");
  std::fflush(stdout);
  io.run();
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::printf("{\"bytes\":%llu,\"user_s\":%.3f,\"system_s\":%.3f}\n",
              static_cast<unsigned long long>(shared.carried.bytes), seconds(used.ru_utime),
              seconds(used.ru_stime));
}

}  // namespace

int main(int argc, char** argv) {
  const auto own = argc == 3 ? to_endpoint(argv[1]) : std::nullopt;
  const auto target = argc == 3 ? to_endpoint(argv[2]) : std::nullopt;
  if (!own || !target) {
    std::fputs("usage: rdv-plain-forwarder ADDRESS:PORT TARGET:PORT   (IPv4 addresses)\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  try {
    forward(*own, *target);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rdv-plain-forwarder: cannot forward from %s: %s\n", argv[1],
                 error.what());
    return 1;
  }
}
