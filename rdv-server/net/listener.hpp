#pragma once
#include "crypto/tls_context.hpp"
#include "net/guest.hpp"
#include "net/log_limit.hpp"

#include <string>
#include <vector>

namespace rdv {

/// Who takes a connection over once its TLS handshake is done. A coroutine ends when its connection
/// has.
class Host {
 public:
  virtual ~Host() = default;
  virtual Task<> serve_control(Guest guest) = 0;
  virtual Task<> serve_leg(Guest guest) = 0;
  virtual Task<> serve_enrolment(Guest guest) = 0;
};

/// Accepts connections, sees them through the TLS handshake within the limits of HalfOpens, and
/// gives each to the Host by what it is (ALPN). What is not TLS of ours ends quickly and without a
/// word.
class Listener {
 public:
  struct Counters {
    std::uint64_t handshakes = 0;  ///< finished
    std::uint64_t refused =
        0;  ///< closed before: too many, too slow, not TLS, no certificate of ours
  };

  /// All references must outlive it.
  Listener(std::vector<tcp::acceptor> sockets, const tunnel::crypto::TlsContext& tls,
           HalfOpens& half_opens, Host& host);

  /// Accepts until stop(), and returns when every connection has ended.
  Task<> run();
  void stop();
  const Counters& counters() const noexcept { return counters_; }
  /// The addresses listened on, "0.0.0.0:443".
  std::vector<std::string> addresses() const;
  std::uint16_t port() const { return sockets_.front().local_endpoint().port(); }

 private:
  class Present;
  Task<> accept_from(tcp::acceptor& acceptor);
  Task<> take_in(tcp::socket socket, tcp::endpoint from);
  Task<> serve(tcp::socket socket, tcp::endpoint from);
  Task<> greet(tcp::socket socket, tcp::endpoint from);
  Task<> back_off(const error_code& why);
  void note_refused(const tcp::endpoint& from, std::string_view why);

  std::vector<tcp::acceptor> sockets_;
  const tunnel::crypto::TlsContext& tls_;
  HalfOpens& half_opens_;
  Host& host_;
  Counters counters_;
  std::size_t present_ = 0;  ///< connections that have not ended
  Signal gone_;
  bool stopping_ = false;
  LogLimit refusals_{std::chrono::seconds{1}};
  LogLimit accept_failures_{std::chrono::seconds{10}};
};

}  // namespace rdv
