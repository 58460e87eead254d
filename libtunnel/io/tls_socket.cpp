#include "io/tls_socket.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace tunnel::io {
namespace {

struct Category final : boost::system::error_category {
  const char* name() const noexcept override { return "rdv.tls"; }
  std::string message(int value) const override {
    switch (static_cast<TlsErrc>(value)) {
      case TlsErrc::failed: return "TLS failed";
    }
    return "unknown error";
  }
};

/// SSL_write takes an int; more than this at once has no use either.
constexpr std::size_t write_bytes_max = std::size_t{1} << 20U;

/// SSL writes with write(2), and a relay with splice(2): to a peer that is gone both would end the
/// process.
void ignore_sigpipe() {
  static const auto before = std::signal(SIGPIPE, SIG_IGN);
  static_cast<void>(before);
}

}  // namespace

error_code make_error_code(TlsErrc e) noexcept {
  static const Category category;
  return {static_cast<int>(e), category};
}

TlsSocket::TlsSocket(tcp::socket socket, const crypto::TlsContext& context)
    : socket_{std::move(socket)}, ssl_{context.new_ssl()} {
  ignore_sigpipe();
  socket_.native_non_blocking(true);
  if (::SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1)
    throw crypto::CryptoError{"put TLS on a socket"};
}

Task<error_code> TlsSocket::handshake() {
  while (socket_.is_open()) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(ssl_.get());
    if (result == 1) co_return error_code{};
    const auto step = judge(result);
    if (!step) co_return step.error();
    if (const auto [ec] = co_await socket_.async_wait(*step, use_tuple); ec) co_return ec;
  }
  co_return asio::error::operation_aborted;
}

Task<Result<std::size_t>> TlsSocket::read_some(std::span<std::byte> out) {
  while (socket_.is_open()) {
    ::ERR_clear_error();
    std::size_t got = 0;
    const int result = ::SSL_read_ex(ssl_.get(), out.data(), out.size(), &got);
    if (result == 1) co_return got;
    const auto step = judge(result);
    if (!step) co_return step.error();
    if (const auto [ec] = co_await socket_.async_wait(*step, use_tuple); ec) co_return ec;
  }
  co_return error_code{asio::error::operation_aborted};
}

Task<error_code> TlsSocket::write(ByteView bytes) {
  while (!bytes.empty()) {
    const auto taken = try_write(bytes);
    if (!taken) co_return taken.error();
    bytes = bytes.subspan(*taken);
    if (bytes.empty()) break;
    const auto what = SSL_want_read(ssl_.get()) ? tcp::socket::wait_read : tcp::socket::wait_write;
    if (const auto [ec] = co_await socket_.async_wait(what, use_tuple); ec) co_return ec;
  }
  co_return error_code{};
}

Result<std::size_t> TlsSocket::try_write(ByteView bytes) {
  if (!socket_.is_open()) return error_code{asio::error::operation_aborted};
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    ::ERR_clear_error();
    std::size_t written = 0;
    const auto chunk = std::min(bytes.size() - taken, write_bytes_max);
    const int result = ::SSL_write_ex(ssl_.get(), bytes.data() + taken, chunk, &written);
    if (result != 1) {
      const auto step = judge(result);
      if (!step) return step.error();
      break;
    }
    taken += written;
  }
  return taken;
}

void TlsSocket::shutdown() noexcept {
  if (!ssl_ || !socket_.is_open() || ::SSL_in_init(ssl_.get()) != 0) return;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

void TlsSocket::close() noexcept {
  error_code ignored;
  socket_.close(ignored);
}

Result<tcp::socket::wait_type> TlsSocket::judge(int ssl_result) {
  const int saved = errno;
  const int error = ::SSL_get_error(ssl_.get(), ssl_result);
  const auto first = ::ERR_peek_error();
  if (error == SSL_ERROR_WANT_READ) return tcp::socket::wait_read;
  if (error == SSL_ERROR_WANT_WRITE) return tcp::socket::wait_write;
  if (error == SSL_ERROR_ZERO_RETURN) return error_code{asio::error::eof};
  const bool cut = ERR_GET_LIB(first) == ERR_LIB_SSL &&
                   ERR_GET_REASON(first) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (error == SSL_ERROR_SYSCALL && first == 0 && saved != 0 && saved != EPIPE &&
      saved != ECONNRESET)
    return error_code{saved, boost::system::system_category()};
  if (cut || (error == SSL_ERROR_SYSCALL && first == 0)) {
    ::ERR_clear_error();
    return error_code{asio::error::connection_reset};
  }
  failure_ = crypto::tls_failure(ssl_.get());
  return error_code{TlsErrc::failed};
}

}  // namespace tunnel::io
