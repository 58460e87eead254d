#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/tls_context.hpp"
#include "io/asio.hpp"

#include <span>
#include <string>

namespace tunnel::io {

using asio::ip::tcp;

/// TLS directly on a non-blocking TCP socket: SSL_set_fd, read-ahead off, so OpenSSL never takes a
/// byte behind the record it is asked for (DESIGN 4, step 5). One reader and one writer coroutine
/// may run at the same time; all on the socket's executor.
///
/// No operation has a time-out of its own: the caller races it (`||`) with a timer; after such a
/// race lost, close. Errors: asio::error::eof after a close_notify; asio::error::connection_reset
/// for an end without one ("broken, never closed"); asio::error::operation_aborted after close();
/// the system's own error when TCP gave up (timed_out); otherwise TlsErrc::failed, and failure()
/// says why. The first TlsSocket makes the process ignore SIGPIPE.
class TlsSocket {
 public:
  TlsSocket(tcp::socket socket, const crypto::TlsContext& context);

  Task<error_code> handshake();
  /// At least one byte, at most out.size().
  Task<Result<std::size_t>> read_some(std::span<std::byte> out);
  /// All of it. Nobody else may write until it is done.
  Task<error_code> write(ByteView bytes);
  /// Writes what the socket takes without waiting. What was not taken may be half sent already:
  /// offer the same bytes again, from there on and not fewer, before any other. @return how much of
  /// it was taken
  Result<std::size_t> try_write(ByteView bytes);
  /// Sends close_notify as far as the socket takes it at once.
  void shutdown() noexcept;
  /// Cancels every operation and closes the descriptor.
  void close() noexcept;

  SSL* ssl() const noexcept { return ssl_.get(); }
  tcp::socket& socket() noexcept { return socket_; }
  const std::string& failure() const noexcept { return failure_; }
  auto get_executor() { return socket_.get_executor(); }
  /// Gives up both; the TlsSocket is empty then.
  std::pair<tcp::socket, crypto::SslHandle> release() {
    return {std::move(socket_), std::move(ssl_)};
  }

 private:
  /// What the SSL call that just returned `ssl_result` waits for, or why it failed.
  Result<tcp::socket::wait_type> judge(int ssl_result);

  tcp::socket socket_;
  crypto::SslHandle ssl_;
  std::string failure_;
};

enum class TlsErrc { failed = 1 };
error_code make_error_code(TlsErrc e) noexcept;

}  // namespace tunnel::io

template <>
struct boost::system::is_error_code_enum<tunnel::io::TlsErrc> : std::true_type {};
