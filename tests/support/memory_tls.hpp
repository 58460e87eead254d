#pragma once
#include "crypto/tls_context.hpp"

#include <string>

/// Two TLS ends joined in memory, and a small world of certificates for them.
namespace tunnel::test {

inline constexpr UnixSeconds day = 24 * 3600;

/// A CA with a server, a master and an onsite.
struct World {
  explicit World(UnixSeconds now = unix_now());

  struct Device {
    wire::Identity identity;
    crypto::Key key;
    crypto::Certificate certificate;
    crypto::Credentials credentials() const { return {key, certificate}; }
  };
  Device device(std::string_view role, std::string_view name, UnixSeconds now,
                UnixSeconds life_seconds) const;
  crypto::Credentials server_credentials() const { return {server_key, server}; }
  const crypto::Certificate& ca() const { return authority.certificate(); }
  std::array<std::byte, wire::fingerprint_bytes> pin() const;

  crypto::Authority authority;
  crypto::Key server_key;
  crypto::Certificate server;
  Device master, onsite;
};

/// One end over two memory BIOs.
class TlsEnd {
 public:
  explicit TlsEnd(crypto::SslHandle made);

  /// Takes one step of the handshake. @return true when it is finished
  bool step();
  bool finished() const { return finished_; }
  /// Why the handshake failed; "" while it has not.
  const std::string& failure() const { return failure_; }

  void write(std::string_view text);
  /// What came; "" for nothing yet. A failure goes to failure().
  std::string read();
  /// Bytes for the other end, taken out.
  std::string take_output();
  void put_input(std::string_view bytes);
  SSL* ssl() const { return ssl_.get(); }

 private:
  void note(int result);

  crypto::SslHandle ssl_;
  bool finished_ = false;
  std::string failure_;
};

struct TlsPair {
  TlsPair(const crypto::TlsContext& client_context, const crypto::TlsContext& server_context)
      : client{client_context.new_ssl()}, server{server_context.new_ssl()} {}

  /// Steps both until nothing moves. @return true when both have finished and neither failed
  bool handshake();
  /// Moves what each has written to the other. @return how many bytes
  std::size_t carry();

  TlsEnd client, server;
};

}  // namespace tunnel::test
