#include "component/io/loopback.hpp"

namespace tunnel::test {
namespace {

Task<> expect_error(io::TlsSocket& socket, boost::system::error_code wanted) {
  const auto got = co_await read_error(socket);
  BOOST_TEST((got == wanted), got.message() << ": " << socket.failure());
}

Task<> expect_handshake_error(io::TlsSocket& socket, boost::system::error_code wanted) {
  const auto got = co_await socket.handshake();
  BOOST_TEST((got == wanted), got.message() << ": " << socket.failure());
}

void reset(tcp::socket& socket) {
  socket.set_option(tcp::socket::linger{true, 0});
  socket.close();
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_close_notify_is_the_end_of_the_stream, Loopback) {
  client->shutdown();
  client->close();
  spawn(expect_error(*server, io::asio::error::eof));
  run();
}

BOOST_FIXTURE_TEST_CASE(what_was_sent_before_the_end_is_read_before_it, Loopback) {
  BOOST_TEST(client->try_write(as_bytes("last words")).value() == 10U);
  client->shutdown();
  client->close();
  const auto read = [](io::TlsSocket& socket) -> Task<> {
    BOOST_TEST(co_await read_exactly(socket, 10) == "last words");
    BOOST_TEST((co_await read_error(socket) == io::asio::error::eof));
  };
  spawn(read(*server));
  run();
}

BOOST_FIXTURE_TEST_CASE(an_end_without_close_notify_is_broken_and_never_closed, Loopback) {
  client->close();
  spawn(expect_error(*server, io::asio::error::connection_reset));
  run();
}

BOOST_FIXTURE_TEST_CASE(a_reset_is_broken, Loopback) {
  reset(client->socket());
  spawn(expect_error(*server, io::asio::error::connection_reset));
  run();
}

BOOST_FIXTURE_TEST_CASE(writing_to_a_peer_that_is_gone_is_an_error_and_not_our_death, Loopback) {
  reset(client->socket());
  const auto write = [](io::TlsSocket& socket) -> Task<> {
    boost::system::error_code ec;
    for (int i = 0; i < 3; ++i)
      ec = co_await socket.write(as_bytes(std::string(100'000, 'x')));  // the second meets EPIPE
    BOOST_TEST((ec == io::asio::error::connection_reset), ec.message() << ": " << socket.failure());
  };
  spawn(write(*server));
  run();
}

BOOST_FIXTURE_TEST_CASE(a_changed_byte_is_a_failure_with_words, RawClient) {
  handshake(100'000);
  auto bytes = record("text");
  bytes.back() ^= 1;
  spawn(send(bytes, 100'000));
  spawn(expect_error(*server, io::TlsErrc::failed));
  run();
  BOOST_TEST(server->failure() == "decryption failed or bad record mac");
}

BOOST_FIXTURE_TEST_CASE(a_record_that_comes_again_is_a_failure, RawClient) {
  handshake(100'000);
  const auto bytes = record("text");
  spawn(send(bytes + bytes, 100'000));
  const auto read = [](io::TlsSocket& from) -> Task<> {
    BOOST_TEST(co_await read_exactly(from, 4) == "text");
    BOOST_TEST((co_await read_error(from) == io::TlsErrc::failed));
  };
  spawn(read(*server));
  run();
}

BOOST_FIXTURE_TEST_CASE(garbage_instead_of_a_hello_fails_at_once, RawClient) {
  spawn(send("GET / HTTP/1.1\r\n\r\n", 100'000));
  spawn(expect_handshake_error(*server, io::TlsErrc::failed));
  run();
  BOOST_TEST(server->failure() == "http request");
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_leaves_in_the_handshake_is_broken, RawClient) {
  end.step();
  const auto hello = end.take_output();
  spawn(send(hello.substr(0, hello.size() / 2), 100'000));
  run();
  socket->close();
  spawn(expect_handshake_error(*server, io::asio::error::connection_reset));
  run();
}

BOOST_FIXTURE_TEST_CASE(a_refused_certificate_fails_the_handshake_with_the_peers_words, Loopback) {
  const World stranger;
  const auto intruder =
      crypto::TlsContext::device(stranger.onsite.credentials(), world().ca(), wire::alpn_data);
  auto [out, in] = connect(context);
  io::TlsSocket bad{std::move(out), intruder};
  io::TlsSocket good{std::move(in), server_tls};
  const auto knock = [](io::TlsSocket& socket) -> Task<> {
    BOOST_TEST(!co_await socket.handshake());  // a TLS 1.3 client is not judged yet
    BOOST_TEST((co_await read_error(socket) == io::TlsErrc::failed));
  };
  spawn(knock(bad));
  spawn(expect_handshake_error(good, io::TlsErrc::failed));
  run();
  BOOST_TEST(bad.failure() == "unknown ca (alert from the peer)");
  BOOST_TEST(good.failure().starts_with("the peer's certificate is not accepted: "));
}

}  // namespace tunnel::test
