#pragma once
#include "io/tls_socket.hpp"
#include "support/memory_tls.hpp"
#include "support/patience.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

/// TLS between two sockets of this process.
namespace tunnel::test {

using io::Task;
using io::asio::ip::tcp;

const World& world();
crypto::TlsContext server_context();
crypto::TlsContext client_context();

/// An io_context whose work must be done within a time that no working test needs.
class Loop {
 public:
  io::asio::io_context context{1};
  /// Runs until nothing is left to do; a coroutine that hangs or throws fails the test.
  void run();
  /// Starts `task`; run() runs it.
  void spawn(Task<> task);

 private:
  std::exception_ptr thrown_;
};

/// Two connected TCP sockets.
std::pair<tcp::socket, tcp::socket> connect(io::asio::io_context& context);

/// Two TlsSockets of one connection whose handshakes are done.
struct Loopback : Loop {
  Loopback();
  Task<> shake(io::TlsSocket& socket);

  crypto::TlsContext client_tls = client_context();
  crypto::TlsContext server_tls = server_context();
  std::optional<io::TlsSocket> client, server;
};

/// A TlsSocket as server, and a client that is TLS in memory and a plain socket: its bytes can be
/// cut at will.
struct RawClient : Loop {
  RawClient();
  /// Does the handshake, the client's bytes sent `chunk_bytes` at a time, `behind` in the same
  /// segment as its last flight.
  void handshake(std::size_t chunk_bytes, std::string_view behind = {});
  Task<> send(std::string bytes, std::size_t chunk_bytes);
  /// The TLS record that carries `text`.
  std::string record(std::string_view text);

  crypto::TlsContext client_tls = client_context();
  crypto::TlsContext server_tls = server_context();
  TlsEnd end;
  std::optional<tcp::socket> socket;
  std::optional<io::TlsSocket> server;

 private:
  Task<> shake_client(std::size_t chunk_bytes, std::string behind);
  Task<> shake_server();
};

/// Reads until `count` bytes are there. Fails the test when they do not come.
Task<std::string> read_exactly(io::TlsSocket& socket, std::size_t count);
/// The next read's outcome, which must be an error.
Task<boost::system::error_code> read_error(io::TlsSocket& socket);

/// `count` bytes that do not repeat soon; the same for the same seed.
std::string pattern(std::size_t count, unsigned seed);
/// What the kernel has received for this socket and nobody has read.
std::size_t unread_bytes(int fd);

}  // namespace tunnel::test
