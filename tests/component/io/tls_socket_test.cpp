#include "component/io/loopback.hpp"

#include <malloc.h>
#include <vector>

namespace tunnel::test {
namespace {

Task<> send_all(io::TlsSocket& socket, std::string text) {
  const auto ec = co_await socket.write(as_bytes(text));
  BOOST_TEST(!ec, ec.message() << ": " << socket.failure());
}

Task<> expect(io::TlsSocket& socket, std::string text) {
  const auto got = co_await read_exactly(socket, text.size());
  BOOST_TEST((got == text));
}

/// Sends `text` in pieces with a KeyUpdate before each (RFC 8446, 4.6.3).
Task<> send_with_key_updates(io::TlsSocket& socket, std::string text, int request) {
  constexpr std::size_t piece_bytes = 50'000;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    BOOST_TEST(::SSL_key_update(socket.ssl(), request) == 1);
    const auto ec = co_await socket.write(as_bytes(std::string_view{text}.substr(at, piece_bytes)));
    BOOST_REQUIRE_MESSAGE(!ec, ec.message() << ": " << socket.failure());
  }
}

/// Writes with try_write until the socket takes no more. @return what was taken
std::size_t fill(io::TlsSocket& socket, std::string_view text) {
  std::size_t taken = 0;
  for (;;) {
    const auto more = socket.try_write(as_bytes(text.substr(taken, 64 * 1024)));
    BOOST_REQUIRE(more);
    if (*more == 0) return taken;
    taken += *more;
  }
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_is_written_arrives, Loopback) {
  spawn(send_all(*client, "hello"));
  spawn(expect(*server, "hello"));
  run();
  BOOST_TEST(crypto::negotiated_alpn(server->ssl()) == "rdv-data/1");
}

BOOST_FIXTURE_TEST_CASE(much_goes_both_ways_at_once, Loopback) {
  const auto up = pattern(8'000'000, 1);
  const auto down = pattern(8'000'000, 2);
  spawn(send_all(*client, up));
  spawn(send_all(*server, down));
  spawn(expect(*server, up));
  spawn(expect(*client, down));
  run();
}

BOOST_FIXTURE_TEST_CASE(a_key_update_in_the_middle_loses_nothing, Loopback) {
  const auto up = pattern(2'000'000, 3);
  const auto down = pattern(2'000'000, 4);
  spawn(send_with_key_updates(*client, up, SSL_KEY_UPDATE_NOT_REQUESTED));
  spawn(send_with_key_updates(*server, down, SSL_KEY_UPDATE_NOT_REQUESTED));
  spawn(expect(*server, up));
  spawn(expect(*client, down));
  run();
}

BOOST_FIXTURE_TEST_CASE(one_byte_writes_arrive_in_order, Loopback) {
  const auto text = pattern(500, 5);
  const auto one_by_one = [](io::TlsSocket& socket, std::string bytes) -> Task<> {
    for (const char c : bytes)
      BOOST_REQUIRE(!co_await socket.write(as_bytes({&c, 1})));
  };
  spawn(one_by_one(*client, text));
  spawn(expect(*server, text));
  run();
}

BOOST_FIXTURE_TEST_CASE(a_socket_that_nobody_reads_takes_a_bounded_amount, Loopback) {
  client->socket().set_option(tcp::socket::send_buffer_size{64 * 1024});
  server->socket().set_option(tcp::socket::receive_buffer_size{64 * 1024});
  const auto text = pattern(16'000'000, 6);
  const auto taken = fill(*client, text);
  BOOST_TEST(taken > 0U);
  BOOST_TEST(
      taken <
      8'000'000U);  // what the kernel had granted before the buffers were made small, at most
  BOOST_TEST(fill(*client, std::string_view{text}.substr(taken)) == 0U);
  spawn(send_all(*client, text.substr(taken)));
  spawn(expect(*server, text));
  run();
}

BOOST_FIXTURE_TEST_CASE(close_ends_a_reader_and_a_writer_that_wait, Loopback) {
  int ended = 0;
  const auto reader = [](io::TlsSocket& socket, int& count) -> Task<> {
    BOOST_TEST((co_await read_error(socket) == io::asio::error::operation_aborted));
    ++count;
  };
  const auto writer = [](io::TlsSocket& socket, int& count) -> Task<> {
    const auto text = pattern(32'000'000, 7);
    BOOST_TEST((co_await socket.write(as_bytes(text)) == io::asio::error::operation_aborted));
    ++count;
  };
  const auto closer = [](io::TlsSocket& socket) -> Task<> {
    for (int turn = 0; turn < 100; ++turn)
      co_await io::asio::post(socket.get_executor(), io::asio::use_awaitable);
    socket.close();
  };
  spawn(reader(*client, ended));
  spawn(writer(*client, ended));
  spawn(closer(*client));
  run();
  BOOST_TEST(ended == 2);
}

BOOST_FIXTURE_TEST_CASE(a_closed_socket_does_nothing_to_a_stranger_that_has_its_number, Loopback) {
  const int number = client->socket().native_handle();
  client->close();
  auto [stranger, other] = connect(context);
  BOOST_REQUIRE(stranger.native_handle() == number);
  BOOST_TEST((client->try_write(as_bytes("secret")).error() == io::asio::error::operation_aborted));
  client->shutdown();
  const auto use = [](io::TlsSocket& socket) -> Task<> {
    BOOST_TEST((co_await read_error(socket) == io::asio::error::operation_aborted));
    BOOST_TEST((co_await socket.write(as_bytes("secret")) == io::asio::error::operation_aborted));
    BOOST_TEST((co_await socket.handshake() == io::asio::error::operation_aborted));
  };
  spawn(use(*client));
  run();
  BOOST_TEST(unread_bytes(other.native_handle()) == 0U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_stays_silent_ends_with_the_timer) {
  RawClient raw;
  const auto race = [](io::TlsSocket& socket) -> Task<> {
    using namespace io::asio::experimental::awaitable_operators;
    io::Timer timer{socket.get_executor()};
    timer.expires_after(std::chrono::milliseconds{20});
    const auto first = co_await (socket.handshake() || timer.async_wait(io::use_tuple));
    BOOST_TEST(first.index() == 1U);
    socket.close();
  };
  raw.spawn(race(*raw.server));
  raw.run();
}

BOOST_FIXTURE_TEST_CASE(an_idle_connection_costs_little_memory, Loopback) {
  constexpr std::size_t connections = 100;
  constexpr std::size_t end_bytes_max =
      28 * 1024;  // measured: 24.7 KB, mean of a client and a server
  std::vector<std::unique_ptr<io::TlsSocket>> ends;
  const auto before = ::mallinfo2().uordblks;
  for (std::size_t i = 0; i < connections; ++i) {
    auto [out, in] = connect(context);
    ends.push_back(std::make_unique<io::TlsSocket>(std::move(out), client_tls));
    spawn(shake(*ends.back()));
    ends.push_back(std::make_unique<io::TlsSocket>(std::move(in), server_tls));
    spawn(shake(*ends.back()));
    run();
  }
  const auto each =
      (::mallinfo2().uordblks - before) / ends.size();  // 0 where a sanitizer has its own malloc
  BOOST_TEST_MESSAGE("bytes of one idle end: " << each);
  BOOST_TEST(each < end_bytes_max);
}

}  // namespace tunnel::test
