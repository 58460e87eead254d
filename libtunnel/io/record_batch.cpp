#include "io/record_batch.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace tunnel::io {

RecordBatch::RecordBatch(SSL* ssl) : ssl_{ssl}, socket_{::SSL_get_wfd(ssl)}, bytes_(bytes_max) {
  BIO* bio = ::BIO_new(method());
  if (bio == nullptr) throw crypto::CryptoError{"make a buffer for TLS records"};
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set0_wbio(ssl_, bio);
}

RecordBatch::~RecordBatch() {
  BIO* raw = ::SSL_get_rbio(ssl_);
  ::BIO_up_ref(raw);
  ::SSL_set0_wbio(ssl_, raw);
}

const BIO_METHOD* RecordBatch::method() {
  static const auto made = [] {
    std::unique_ptr<BIO_METHOD, crypto::Freed<::BIO_meth_free>> method{
        ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records of one batch")};
    if (!method) throw crypto::CryptoError{"make a kind of buffer for TLS records"};
    ::BIO_meth_set_write_ex(method.get(), write);
    ::BIO_meth_set_ctrl(method.get(), control);
    return method;
  }();
  return made.get();
}

/// All or nothing: a record that does not fit is offered again.
int RecordBatch::write(BIO* bio, const char* from, std::size_t bytes, std::size_t* written) {
  auto& batch = *static_cast<RecordBatch*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  if (bytes > batch.bytes_.size() - batch.end_) {
    ::BIO_set_retry_write(bio);
    return 0;
  }
  std::memcpy(batch.bytes_.data() + batch.end_, from, bytes);
  batch.end_ += bytes;
  *written = bytes;
  return 1;
}

/// OpenSSL flushes after a handshake message; there is nothing to do before send().
long RecordBatch::control(BIO* /*bio*/, int what, long /*number*/, void* /*pointer*/) {
  return what == BIO_CTRL_FLUSH ? 1 : 0;
}

boost::system::error_code RecordBatch::send() {
  while (begin_ < end_) {
    const auto sent =
        ::send(socket_, bytes_.data() + begin_, end_ - begin_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      begin_ += static_cast<std::size_t>(sent);
    else if (errno != EINTR)
      return {errno, boost::system::system_category()};
  }
  begin_ = end_ = 0;
  return {};
}

}  // namespace tunnel::io
