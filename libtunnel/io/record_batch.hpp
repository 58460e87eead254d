#pragma once
#include "base/bytes.hpp"
#include "crypto/openssl.hpp"

#include <boost/system/error_code.hpp>
#include <openssl/bio.h>

namespace tunnel::io {

/// Gathers the records that an established TLS connection writes, so that many leave with one
/// system call. A socket that is written record by record sends each of them as a segment of its
/// own, and every host on the way pays for that (docs/PERFORMANCE.md, "The packet path").
///
/// As long as it lives, whatever OpenSSL writes waits here for send(): records, alerts,
/// close_notify.
class RecordBatch {
 public:
  /// Ciphertext. SSL_write() beyond that fails with SSL_ERROR_WANT_WRITE.
  static constexpr std::size_t bytes_max = 256 * 1024;

  /// @param ssl  on a non-blocking socket; it must outlive this
  explicit RecordBatch(SSL* ssl);
  /// OpenSSL writes to the socket again; what was not sent is lost.
  ~RecordBatch();
  RecordBatch(const RecordBatch&) = delete;
  RecordBatch& operator=(const RecordBatch&) = delete;

  bool empty() const { return begin_ == end_; }
  /// @return no error: all is sent. EAGAIN: call again when the socket is writable. Others: send(2)
  boost::system::error_code send();

 private:
  static const BIO_METHOD* method();
  static int write(BIO* bio, const char* from, std::size_t bytes, std::size_t* written);
  static long control(BIO* bio, int what, long number, void* pointer);

  SSL* ssl_;
  int socket_;
  Bytes bytes_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace tunnel::io
