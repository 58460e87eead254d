#pragma once
#include "crypto/certificate.hpp"

#include <memory>
#include <optional>
#include <string>

namespace tunnel::crypto {

/// Key and certificate a TLS end shows.
struct Credentials {
  const Key& key;
  const Certificate& certificate;
};

/// TLS 1.3 contexts as DESIGN 3 and 4 want them: X25519 first, ChaCha20 when either end has no AES
/// instructions, no tickets, no PSK, no 0-RTT, no renegotiation, read-ahead off,
/// SSL_MODE_RELEASE_BUFFERS, partial writes. A peer's certificate is verified against `ca` alone;
/// dates are checked against the system clock unless `check_dates` is false (DESIGN 3, wrong
/// clocks). SSL on the file descriptor. An SSL may outlive the TlsContext it was made by.
///
/// @throws CryptoError
class TlsContext {
 public:
  /// The server on 443: offers `rdv-control/1`, `rdv-data/1` (client certificate demanded when the
  /// client offers one of these two, by ALPN) and `rdv-enroll/1` (none asked for). A client without
  /// an ALPN of ours gets no_application_protocol. The CA certificate goes out with the server's,
  /// so that an enrolling device can pin it.
  static TlsContext server(const Credentials& own, const Certificate& ca);
  /// A device towards the server: the peer must show `server_uri`. @param alpn  one of wire::alpn_*
  static TlsContext device(const Credentials& own, const Certificate& ca, std::string_view alpn,
                           bool check_dates = true);
  /// An enrolling device: no certificate; trusts a chain that ends in a CA with this fingerprint.
  static TlsContext enrolling(const std::array<std::byte, wire::fingerprint_bytes>& ca_fingerprint);
  /// The inner session. Master: client, onsite: server. The peer's certificate must chain to `ca`,
  /// and its key must have `peer_key_hash` and its identity be `peer`: anything else fails the
  /// handshake.
  static TlsContext end_to_end(const Credentials& own, const Certificate& ca,
                               const wire::Identity& peer, const Hash& peer_key_hash,
                               bool check_dates = true);

  /// A new SSL that is client or server as its context says; no descriptor or BIO set yet.
  SslHandle new_ssl() const;
  SSL_CTX* get() const noexcept { return context_.get(); }

  /// For the verify callback: is this the peer that `context` was made for?
  static bool accepts_leaf(SSL_CTX* context, X509* leaf);

 private:
  struct PeerCheck;
  explicit TlsContext(bool is_server);
  static int check_index();

  SslContextHandle context_;
  bool is_server_;
  PeerCheck* check_;  ///< owned by the SSL_CTX: the verify callbacks read it as long as one of its
                      ///< SSLs lives
};

/// Our cipher suites, best first, for SSL_CTX_set_ciphersuites().
const char* cipher_suites(bool has_aes_instructions);
/// Whether this CPU computes AES itself (a Raspberry Pi 4 does not: ChaCha20 is then several times
/// faster).
bool has_aes_instructions();

/// What a finished handshake showed.
std::string negotiated_alpn(SSL* ssl);
/// The peer's identity and key hash. @retval wire::Errc::wrong_party  it showed no certificate of
/// ours
struct TlsPeer {
  wire::Identity identity;
  Hash key_hash;
  UnixSeconds certificate_expires = 0;
};
Result<TlsPeer> tls_peer(SSL* ssl);
/// Whose CA signed what a server showed, when that was why its certificate was not accepted.
struct OtherIssuer {
  std::string name;            ///< organisation and common name, plain text, at most 100 bytes
  bool is_rdv_server = false;  ///< it is one of ours, but of another installation
};
/// After a handshake failed, at the client. @return nothing when it failed for another reason
std::optional<OtherIssuer> other_issuer(SSL* ssl);
/// RFC 8446 exporter, 32 bytes, label "EXPORTER-rdv-confirm": equal at both ends of one TLS session
/// and nowhere else.
Hash exporter_key(SSL* ssl);
/// Why the last operation on `ssl` failed, for a person: "certificate has expired", "unknown ca
/// (alert from the peer)".
std::string tls_failure(SSL* ssl);

}  // namespace tunnel::crypto
