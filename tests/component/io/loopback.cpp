#include "component/io/loopback.hpp"

#include <boost/asio/write.hpp>
#include <sys/ioctl.h>

#include <random>

namespace tunnel::test {

using io::use_tuple;

const World& world() {
  static const World made;
  return made;
}
crypto::TlsContext server_context() {
  return crypto::TlsContext::server(world().server_credentials(), world().ca());
}
crypto::TlsContext client_context() {
  return crypto::TlsContext::device(world().onsite.credentials(), world().ca(), wire::alpn_data);
}

void Loop::run() {
  context.restart();
  context.run_for(patience);
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  BOOST_REQUIRE_MESSAGE(context.stopped(), "something hangs");
}

void Loop::spawn(Task<> task) {
  io::asio::co_spawn(context, std::move(task), [this](std::exception_ptr thrown) {
    if (!thrown) return;
    thrown_ = thrown;
    context.stop();
  });
}

std::pair<tcp::socket, tcp::socket> connect(io::asio::io_context& context) {
  tcp::acceptor acceptor{context, tcp::endpoint{io::asio::ip::address_v4::loopback(), 0}};
  tcp::socket out{context};
  out.connect(acceptor.local_endpoint());
  return {std::move(out), acceptor.accept()};
}

Loopback::Loopback() {
  auto [out, in] = connect(context);
  client.emplace(std::move(out), client_tls);
  server.emplace(std::move(in), server_tls);
  spawn(shake(*client));
  spawn(shake(*server));
  run();
}

Task<> Loopback::shake(io::TlsSocket& socket) {
  const auto ec = co_await socket.handshake();
  BOOST_TEST(!ec, ec.message() << ": " << socket.failure());
}

RawClient::RawClient() : end{client_tls.new_ssl()} {
  auto [out, in] = connect(context);
  out.set_option(tcp::no_delay{true});
  socket.emplace(std::move(out));
  server.emplace(std::move(in), server_tls);
}

Task<> RawClient::send(std::string bytes, std::size_t chunk_bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += chunk_bytes) {
    const auto chunk = std::string_view{bytes}.substr(at, chunk_bytes);
    const auto [ec, sent] =
        co_await io::asio::async_write(*socket, io::asio::buffer(chunk), use_tuple);
    BOOST_REQUIRE(!ec);
    // Lets the reader run between two bytes.
    if (chunk_bytes == 1) co_await io::asio::post(context, io::asio::use_awaitable);
  }
}

Task<> RawClient::shake_client(std::size_t chunk_bytes, std::string behind) {
  while (!end.step()) {
    BOOST_REQUIRE_MESSAGE(end.failure().empty(), end.failure());
    co_await send(end.take_output(), chunk_bytes);
    std::array<char, 4096> buffer;
    const auto [ec, got] = co_await socket->async_read_some(io::asio::buffer(buffer), use_tuple);
    BOOST_REQUIRE(!ec);
    end.put_input({buffer.data(), got});
  }
  co_await send(end.take_output() + behind, chunk_bytes);
}

Task<> RawClient::shake_server() {
  const auto ec = co_await server->handshake();
  BOOST_REQUIRE_MESSAGE(!ec, ec.message() << ": " << server->failure());
}

void RawClient::handshake(std::size_t chunk_bytes, std::string_view behind) {
  spawn(shake_client(chunk_bytes, std::string{behind}));
  spawn(shake_server());
  run();
}

std::string RawClient::record(std::string_view text) {
  end.write(text);
  return end.take_output();
}

Task<std::string> read_exactly(io::TlsSocket& socket, std::size_t count) {
  std::string all;
  std::vector<std::byte> buffer(32 * 1024);
  while (all.size() < count) {
    const auto got = co_await socket.read_some(
        std::span{buffer}.first(std::min(buffer.size(), count - all.size())));
    BOOST_REQUIRE_MESSAGE(got, got.error().message() << ": " << socket.failure());
    BOOST_REQUIRE(*got > 0);
    all += as_text(ByteView{buffer}.first(*got));
  }
  co_return all;
}

Task<boost::system::error_code> read_error(io::TlsSocket& socket) {
  std::array<std::byte, 100> buffer;
  const auto got = co_await socket.read_some(buffer);
  BOOST_REQUIRE(!got);
  co_return got.error();
}

std::string pattern(std::size_t count, unsigned seed) {
  std::mt19937 random{seed};
  std::string text(count, '\0');
  for (auto& c : text)
    c = static_cast<char>(random());
  return text;
}

std::size_t unread_bytes(int fd) {
  int count = 0;
  BOOST_REQUIRE(::ioctl(fd, FIONREAD, &count) == 0);
  return static_cast<std::size_t>(count);
}

}  // namespace tunnel::test
