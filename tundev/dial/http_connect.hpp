#pragma once
#include "dial/proxy.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace device {

/// Asks an HTTP proxy for a connection to a server: CONNECT (RFC 9110, section 9.3.6), and again
/// when the proxy wants to know who we are. Pure: bytes in, bytes out.
///
///   asking --2xx--> open
///     ^  |--407, not answered yet: with our name--> again_here, again_anew: asking
///     |  '--any other answer, or none----> failed
class HttpConnect {
 public:
  static constexpr std::uint32_t header_bytes_max = 16 * 1024;
  /// The page that comes with a refusal; what is longer is not read.
  static constexpr std::uint32_t page_bytes_max = 64 * 1024;
  /// Of one connection to a server: the first, with our name, and once more for a stale nonce.
  static constexpr int requests_max = 3;

  enum class Step : std::uint8_t {
    more,        ///< read on
    open,        ///< the next byte is the server's
    again_here,  ///< send request() on this connection
    again_anew,  ///< the proxy closes it: send request() on a new one
    failed,      ///< why()
  };

  /// @param server  as the proxy is to find it
  HttpConnect(const HostPort& server, Proxy& proxy);
  ~HttpConnect();
  HttpConnect(const HttpConnect&) = delete;

  /// What to send now. At most requests_max times.
  std::string request();
  Step on_bytes(std::string_view bytes);
  /// The proxy closed the connection.
  Step on_end();

  /// For a person, without the password: `the proxy p:3128 does not let us …`.
  const std::string& why() const { return why_; }
  /// No other server is worth trying: it is about us or the proxy.
  bool is_final() const { return is_final_; }
  /// The proxy did not accept our password: each further attempt may lock the account.
  bool is_login_refused() const { return is_login_refused_; }

 private:
  struct Answer;
  Step judge();
  Step on_unauthorized();
  Step fail(std::string why, bool is_final);

  std::string target_;
  Proxy& proxy_;
  std::unique_ptr<Answer> answer_;  ///< keeps Beast's parser out of this header
  std::string unread_;
  bool introduced_ = false;  ///< this request has our name
  bool answered_ = false;    ///< we have answered a challenge of this conversation
  int requests_ = 0;
  std::string why_;
  bool is_final_ = false;
  bool is_login_refused_ = false;
};

}  // namespace device
