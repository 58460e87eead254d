#define BOOST_TEST_MODULE agent_dial
#include "agent/dial.hpp"
#include "support/patience.hpp"

#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <list>

using namespace device;
using namespace std::chrono_literals;
using tunnel::io::use_tuple;

/// Connecting with real sockets on loopback, to servers and proxies that the test plays.
namespace {

const asio::ip::address loopback = asio::ip::address_v4::loopback();

std::string at(const tcp::endpoint& endpoint) {
  return "127.0.0.1:" + std::to_string(endpoint.port());
}

/// A port where nobody listens: connections are refused.
tcp::endpoint closed_port(asio::io_context& io) {
  return tcp::acceptor{io, tcp::endpoint{loopback, 0}}.local_endpoint();
}

/// A port that answers nothing: its queue is full, and Linux drops what comes (tcp(7),
/// tcp_abort_on_overflow).
struct SilentPort {
  explicit SilentPort(asio::io_context& io) : acceptor{io} {
    acceptor.open(tcp::v4());
    acceptor.bind({loopback, 0});
    acceptor.listen(0);
    for (int i = 0; i < 4; ++i) {
      waiting.emplace_back(io);
      waiting.back().async_connect(acceptor.local_endpoint(), [](tunnel::io::error_code) {});
    }
    io.run_for(100ms);
  }
  tcp::endpoint endpoint() const { return acceptor.local_endpoint(); }
  tcp::acceptor acceptor;
  std::list<tcp::socket> waiting;
};

/// An HTTP proxy that gives one answer after the other, whatever the connection, and then is the
/// server behind it: it sends back what it gets.
struct ScriptedProxy {
  struct Answer {
    std::string text;
    bool closes = false;
  };

  explicit ScriptedProxy(asio::io_context& io, std::vector<Answer> script)
      : answers{std::move(script)}, acceptor{io, tcp::endpoint{loopback, 0}} {
    asio::co_spawn(io, serve(), asio::detached);
  }
  Task<> serve() {
    for (;;) {
      auto [ec, socket] = co_await acceptor.async_accept(use_tuple);
      if (ec) co_return;
      ++connections;
      asio::co_spawn(acceptor.get_executor(), talk(std::move(socket)), asio::detached);
    }
  }
  Task<> talk(tcp::socket socket) {
    std::string heard;
    std::array<char, 2048> chunk;
    while (next < answers.size()) {
      const auto [ec, got] = co_await socket.async_read_some(asio::buffer(chunk), use_tuple);
      if (ec) co_return;
      heard.append(chunk.data(), got);
      if (!heard.ends_with("\r\n\r\n")) continue;
      requests.push_back(std::exchange(heard, {}));
      const auto answer = answers[next++];
      co_await asio::async_write(socket, asio::buffer(answer.text), use_tuple);
      if (answer.closes) co_return;
    }
    for (;;) {
      const auto [ec, got] = co_await socket.async_read_some(asio::buffer(chunk), use_tuple);
      if (ec) co_return;
      co_await asio::async_write(socket, asio::buffer(chunk.data(), got), use_tuple);
    }
  }
  ProxyChoice choice(const std::string& login = "") const {
    return ProxyChoice::from({.url = "http://" + login + at(acceptor.local_endpoint())},
                             [](const char*) -> const char* { return nullptr; });
  }

  std::vector<Answer> answers;
  std::size_t next = 0;
  int connections = 0;
  std::vector<std::string> requests;
  tcp::acceptor acceptor;
};

const ScriptedProxy::Answer opened{"HTTP/1.1 200 Connection established\r\n\r\n"};
const std::string challenge =
    "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", "
    "algorithm=SHA-256\r\n";

template <class Result>
Task<> keep(Task<Result> task, std::optional<Result>& result) {
  result.emplace(co_await std::move(task));
}

struct Took {
  Clock::duration time{};     ///< by the clock: never less than what the device waits
  Clock::duration running{};  ///< of that, what we ran: never more
};

/// Runs a coroutine to its end. @param took  how long
template <class Result>
Result run(asio::io_context& io, Task<Result> task, Took* took = nullptr) {
  std::optional<Result> result;
  const auto began = Clock::now();
  asio::co_spawn(io, keep(std::move(task), result), asio::detached);
  io.restart();
  tunnel::test::RunningTime time;
  while (!result && time.turn() < tunnel::test::patience)
    io.run_one_for(10ms);
  if (took != nullptr) *took = {Clock::now() - began, time.turn()};
  BOOST_REQUIRE(result);
  return std::move(*result);
}

std::string why(const DialOutcome& outcome) {
  const auto* failure = std::get_if<DialFailure>(&outcome);
  return failure == nullptr ? "connected" : failure->why;
}

Task<std::string> echoed(tcp::socket& socket, std::string text) {
  co_await asio::async_write(socket, asio::buffer(text), use_tuple);
  std::array<char, 64> chunk;
  const auto [ec, got] = co_await socket.async_read_some(asio::buffer(chunk), use_tuple);
  co_return ec ? ec.message() : std::string{chunk.data(), got};
}

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_address_that_refuses_gives_way_at_once) {
  asio::io_context io;
  const tcp::acceptor good{io, tcp::endpoint{loopback, 0}};
  Took took;
  auto found =
      run(io, connect_first({closed_port(io), good.local_endpoint()}, Clock::now() + 5s), &took);
  BOOST_REQUIRE(std::holds_alternative<tcp::socket>(found));
  BOOST_TEST((std::get<tcp::socket>(found).remote_endpoint() == good.local_endpoint()));
}

BOOST_AUTO_TEST_CASE(an_address_that_is_silent_does_not_hold_up_the_next) {
  asio::io_context io;
  const SilentPort silent{io};
  const tcp::acceptor good{io, tcp::endpoint{loopback, 0}};
  Took took;
  auto found =
      run(io, connect_first({silent.endpoint(), good.local_endpoint()}, Clock::now() + 10s), &took);
  BOOST_REQUIRE(std::holds_alternative<tcp::socket>(found));
  BOOST_TEST((std::get<tcp::socket>(found).remote_endpoint() == good.local_endpoint()));
  BOOST_TEST((took.time >= attempt_delay && took.running < attempt_timeout));
}

BOOST_AUTO_TEST_CASE(when_nobody_answers_it_ends_at_the_deadline) {
  asio::io_context io;
  const SilentPort silent{io};
  Took took;
  auto found =
      run(io, connect_first({silent.endpoint(), silent.endpoint()}, Clock::now() + 600ms), &took);
  BOOST_REQUIRE(std::holds_alternative<DialFailure>(found));
  BOOST_TEST(std::get<DialFailure>(found).why == "it does not answer");
  BOOST_TEST((took.time >= 600ms && took.running < 3s));
}

BOOST_AUTO_TEST_CASE(a_dead_server_is_skipped_and_remembered) {
  asio::io_context io;
  const SilentPort silent{io};
  const tcp::acceptor good{io, tcp::endpoint{loopback, 0}};
  Dialler dialler{at(silent.endpoint()) + ", " + at(good.local_endpoint()), {}};
  Took took;
  auto first = run(io, dialler.dial(), &took);
  BOOST_TEST_REQUIRE(why(first) == "connected");
  BOOST_TEST(std::get<Dialled>(first).way.server.str() == at(good.local_endpoint()));
  BOOST_TEST((took.time >= 3s && took.running < 5s));
  auto second = run(io, dialler.dial(), &took);
  BOOST_TEST(std::get<Dialled>(second).way.server.str() == at(good.local_endpoint()));
  BOOST_TEST((took.running < 1s));
}

BOOST_AUTO_TEST_CASE(a_server_that_turned_out_bad_is_tried_last) {
  asio::io_context io;
  const tcp::acceptor a{io, tcp::endpoint{loopback, 0}};
  const tcp::acceptor b{io, tcp::endpoint{loopback, 0}};
  Dialler dialler{at(a.local_endpoint()) + "," + at(b.local_endpoint()), {}};
  auto first = run(io, dialler.dial());
  BOOST_TEST(std::get<Dialled>(first).way.server.str() == at(a.local_endpoint()));
  dialler.on_failed(std::get<Dialled>(first).way);
  auto second = run(io, dialler.dial());
  BOOST_TEST(std::get<Dialled>(second).way.server.str() == at(b.local_endpoint()));
}

BOOST_AUTO_TEST_CASE(each_server_that_cannot_be_reached_is_named_with_its_reason) {
  asio::io_context io;
  const auto one = closed_port(io), other = closed_port(io);
  Dialler dialler{at(one) + ", " + at(other), {}};
  const auto said = why(run(io, dialler.dial()));
  BOOST_TEST(said == at(one) + ": Connection refused; " + at(other) + ": Connection refused");
  Dialler wrong{"no server at all:x", {}};
  BOOST_TEST(why(run(io, wrong.dial())) == "it is not a host and a port");
}

BOOST_AUTO_TEST_CASE(the_addresses_are_told_before_they_are_dialled) {
  asio::io_context io;
  const tcp::acceptor good{io, tcp::endpoint{loopback, 0}};
  Dialler dialler{at(good.local_endpoint()), {}};
  std::vector<tcp::endpoint> told;
  dialler.before_connecting([&](const std::vector<tcp::endpoint>& hops) -> Task<> {
    told = hops;
    co_return;
  });
  BOOST_TEST(why(run(io, dialler.dial())) == "connected");
  BOOST_TEST((told == std::vector{good.local_endpoint()}));
}

BOOST_AUTO_TEST_CASE(a_proxy_is_asked_and_the_next_byte_is_the_servers) {
  asio::io_context io;
  ScriptedProxy proxy{io, {opened}};
  Dialler dialler{"rdv.invalid:443", proxy.choice()};  // only the proxy could resolve it
  auto outcome = run(io, dialler.dial());
  BOOST_TEST_REQUIRE(why(outcome) == "connected");
  auto& [socket, way] = std::get<Dialled>(outcome);
  BOOST_TEST(way.server.str() == "rdv.invalid:443");
  BOOST_TEST((way.hop == proxy.acceptor.local_endpoint()));
  BOOST_TEST(!way.server_address());
  BOOST_TEST(run(io, echoed(socket, "hello")) == "hello");
  BOOST_TEST(proxy.requests.at(0).starts_with("CONNECT rdv.invalid:443 HTTP/1.1\r\n"));
}

BOOST_AUTO_TEST_CASE(a_challenge_is_answered_on_a_new_connection_when_the_proxy_closes) {
  asio::io_context io;
  ScriptedProxy proxy{io, {{challenge + "Connection: close\r\n\r\n", true}, opened, opened}};
  Dialler dialler{"rdv.invalid:443", proxy.choice("ops:secret@")};
  auto outcome = run(io, dialler.dial());
  BOOST_TEST_REQUIRE(why(outcome) == "connected");
  BOOST_TEST(proxy.connections == 2);
  BOOST_TEST(!holds(proxy.requests.at(0), "Proxy-Authorization"));
  BOOST_TEST(holds(proxy.requests.at(1), "algorithm=SHA-256, qop=auth, nc=00000001"));
  // A leg goes the same way, and the proxy need not ask again.
  auto leg = run(io, dial(std::get<Dialled>(outcome).way));
  BOOST_TEST(std::holds_alternative<tcp::socket>(leg));
  BOOST_TEST(holds(proxy.requests.at(2), "nc=00000002"));
  for (const auto& request : proxy.requests)
    BOOST_TEST(!holds(request, "secret"));
}

BOOST_AUTO_TEST_CASE(a_challenge_is_answered_on_the_same_connection_when_it_is_kept) {
  asio::io_context io;
  ScriptedProxy proxy{io, {{challenge + "Content-Length: 3\r\n\r\nno\n"}, opened}};
  Dialler dialler{"rdv.invalid:443", proxy.choice("ops:secret@")};
  BOOST_TEST(why(run(io, dialler.dial())) == "connected");
  BOOST_TEST(proxy.connections == 1);
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_said_and_no_other_server_tried) {
  asio::io_context io;
  const ScriptedProxy::Answer no{challenge + "Content-Length: 0\r\n\r\n"};
  ScriptedProxy proxy{io, {no, no, opened}};
  Dialler dialler{"rdv.invalid:443, other.invalid:443", proxy.choice("ops:secret@")};
  const auto said = why(run(io, dialler.dial()));
  BOOST_TEST(holds(said, "does not accept the password of user 'ops'"), said);
  BOOST_TEST(proxy.requests.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_proxy_that_cannot_reach_one_server_is_asked_for_the_next) {
  asio::io_context io;
  ScriptedProxy proxy{io, {{"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"}, opened}};
  Dialler dialler{"rdv.invalid:443, other.invalid:443", proxy.choice()};
  auto outcome = run(io, dialler.dial());
  BOOST_TEST_REQUIRE(why(outcome) == "connected");
  BOOST_TEST(std::get<Dialled>(outcome).way.server.host == "other.invalid");
}

BOOST_AUTO_TEST_CASE(a_proxy_that_is_dead_or_silent_is_named) {
  asio::io_context io;
  const auto nobody = closed_port(io);
  const auto choice = ProxyChoice::from({.url = "http://" + at(nobody)},
                                        [](const char*) -> const char* { return nullptr; });
  Dialler dead{"rdv.invalid:443", choice};
  BOOST_TEST(why(run(io, dead.dial())) ==
             "the proxy " + at(nobody) + " cannot be reached: Connection refused");
  ScriptedProxy silent{io, {{""}}};
  Dialler waiting{"rdv.invalid:443", silent.choice()};
  Took took;
  const auto said = why(run(io, waiting.dial(500ms), &took));
  BOOST_TEST(said == "the proxy " + at(silent.acceptor.local_endpoint()) + " does not answer");
  BOOST_TEST((took.running < 3s));
}
