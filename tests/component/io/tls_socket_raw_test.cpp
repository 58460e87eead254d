#include "component/io/loopback.hpp"

#include <sys/socket.h>

namespace tunnel::test {
namespace {

Task<> expect(io::TlsSocket& socket, std::string text) {
  BOOST_TEST(co_await read_exactly(socket, text.size()) == text);
}

std::string take_raw(int fd) {
  std::string bytes(1000, '\0');
  const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
  BOOST_REQUIRE(got >= 0);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

constexpr std::string_view raw = "\x17\x03\x03 raw bytes of the inner TLS";

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_peer_that_sends_single_bytes_is_understood, RawClient) {
  handshake(1);
  const auto first = record("first");
  spawn(send(first + record("second"), 1));
  spawn(expect(*server, "firstsecond"));
  run();
}

BOOST_FIXTURE_TEST_CASE(no_byte_behind_a_record_leaves_the_socket, RawClient) {
  handshake(100'000);
  spawn(send(record("switch") + std::string{raw}, 100'000));  // one segment
  spawn(expect(*server, "switch"));
  run();
  BOOST_TEST(::SSL_pending(server->ssl()) == 0);
  BOOST_TEST(::SSL_has_pending(server->ssl()) == 0);
  BOOST_TEST(unread_bytes(server->socket().native_handle()) == raw.size());
  BOOST_TEST(take_raw(server->socket().native_handle()) == raw);
}

BOOST_FIXTURE_TEST_CASE(no_byte_behind_the_handshake_leaves_the_socket, RawClient) {
  handshake(100'000, raw);
  BOOST_TEST(take_raw(server->socket().native_handle()) == raw);
}

BOOST_FIXTURE_TEST_CASE(of_several_records_at_once_only_those_asked_for_are_taken, RawClient) {
  handshake(100'000);
  auto records = record("one");
  records += record("two");
  records += record("three");
  spawn(send(records, 100'000));
  spawn(expect(*server, "one"));
  run();
  const auto rest = unread_bytes(server->socket().native_handle());
  BOOST_TEST(rest > 0U);
  spawn(expect(*server, "twothree"));
  run();
  BOOST_TEST(unread_bytes(server->socket().native_handle()) == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_record_read_in_parts_is_still_held_by_tls, RawClient) {
  handshake(100'000);
  spawn(send(record("switch and more"), 100'000));
  spawn(expect(*server, "switch"));
  run();
  BOOST_TEST(::SSL_pending(server->ssl()) == 9);  // what a hand-off must notice
}

BOOST_FIXTURE_TEST_CASE(both_parts_can_be_taken_over, RawClient) {
  handshake(100'000);
  auto [taken, ssl] = server->release();
  BOOST_TEST(taken.is_open());
  BOOST_TEST(::SSL_get_fd(ssl.get()) == taken.native_handle());
}

}  // namespace tunnel::test
