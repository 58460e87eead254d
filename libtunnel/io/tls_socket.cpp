#include "io/tls_socket.hpp"

#include <openssl/err.h>

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

}  // namespace

error_code make_error_code(TlsErrc e) noexcept {
  static const Category category;
  return {static_cast<int>(e), category};
}

TlsSocket::TlsSocket(tcp::socket socket, const crypto::TlsContext& context)
    : socket_{std::move(socket)}, ssl_{context.new_ssl()} {
  socket_.native_non_blocking(true);
  if (::SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1) throw crypto::CryptoError{"put TLS on a socket"};
}

Task<error_code> TlsSocket::handshake() {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(ssl_.get());
    if (result == 1) co_return error_code{};
    if (const auto ec = co_await wait_for(result); ec) co_return ec;
  }
}

Task<Result<std::size_t>> TlsSocket::read_some(std::span<std::byte> out) {
  for (;;) {
    ::ERR_clear_error();
    std::size_t got = 0;
    const int result = ::SSL_read_ex(ssl_.get(), out.data(), out.size(), &got);
    if (result == 1) co_return got;
    if (const auto ec = co_await wait_for(result); ec) co_return ec;
  }
}

Task<error_code> TlsSocket::write(ByteView bytes) {
  while (!bytes.empty()) {
    const auto taken = try_write(bytes);
    if (!taken) co_return taken.error();
    bytes = bytes.subspan(*taken);
    if (bytes.empty()) break;
    const auto [ec] = co_await socket_.async_wait(tcp::socket::wait_write, use_tuple);
    if (ec) co_return ec;
  }
  co_return error_code{};
}

Result<std::size_t> TlsSocket::try_write(ByteView bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    ::ERR_clear_error();
    std::size_t written = 0;
    const auto chunk = std::min(bytes.size() - taken, write_bytes_max);
    const int result = ::SSL_write_ex(ssl_.get(), bytes.data() + taken, chunk, &written);
    if (result == 1) {
      taken += written;
      continue;
    }
    const int error = ::SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) break;
    return failed(error);
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

Task<error_code> TlsSocket::wait_for(int ssl_result) {
  const int error = ::SSL_get_error(ssl_.get(), ssl_result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) co_return failed(error);
  const auto what = error == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write;
  const auto [ec] = co_await socket_.async_wait(what, use_tuple);
  co_return ec;
}

error_code TlsSocket::failed(int ssl_error) {
  const int saved = errno;
  if (ssl_error == SSL_ERROR_ZERO_RETURN) return asio::error::eof;
  if (ssl_error == SSL_ERROR_SYSCALL && ::ERR_peek_error() == 0)
    return saved == 0 ? error_code{asio::error::connection_reset} : error_code{saved, boost::system::system_category()};
  const auto reason = ::ERR_GET_REASON(::ERR_peek_error());
  if (ssl_error == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ::ERR_clear_error();
    return asio::error::connection_reset;
  }
  failure_ = crypto::tls_failure(ssl_.get());
  return TlsErrc::failed;
}

}  // namespace tunnel::io
