#include "crypto/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <cstring>

namespace tunnel::crypto {

/// What a peer's certificate must be beyond "signed by our CA". Read by verify callbacks.
struct TlsContext::PeerCheck {
  std::optional<wire::Identity> identity;
  std::optional<Hash> key_hash;
  bool is_server = false;  ///< must show server_uri
  std::optional<std::array<std::byte, wire::fingerprint_bytes>> ca_fingerprint;
};

namespace {

constexpr char groups[] = "X25519:P-256";
constexpr char exporter_label[] = "EXPORTER-rdv-confirm";

bool has_uri(X509* certificate, std::string_view uri) {
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names{static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = ::GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_URI) continue;  // only then it is a string
    const auto* text = static_cast<const ASN1_STRING*>(value);
    const std::string_view found{reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
                                 static_cast<std::size_t>(::ASN1_STRING_length(text))};
    if (found == uri) return true;
  }
  return false;
}

/// ALPN protocols in wire form, each with its length in front (RFC 7301).
std::string alpn_list(std::initializer_list<std::string_view> protocols) {
  std::string list;
  for (const auto protocol : protocols) {
    list += static_cast<char>(protocol.size());
    list += protocol;
  }
  return list;
}

bool offers(std::string_view list, std::string_view protocol) {
  while (!list.empty()) {
    const auto length = static_cast<unsigned char>(list[0]);
    if (list.size() < 1U + length) return false;
    if (list.substr(1, length) == protocol) return true;
    list.remove_prefix(1U + length);
  }
  return false;
}

/// Chooses the first of ours that the client offers; anything else ends the handshake (RFC 7301,
/// no_application_protocol).
int choose(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
           unsigned in_length, std::initializer_list<const char*> ours) {
  const std::string_view offered{reinterpret_cast<const char*>(in), in_length};
  for (const char* protocol : ours) {
    if (!offers(offered, protocol)) continue;
    *out = reinterpret_cast<const unsigned char*>(protocol);
    *out_length = static_cast<unsigned char>(std::strlen(protocol));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int choose_server_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                       const unsigned char* in, unsigned in_length, void*) {
  const int chosen = choose(ssl, out, out_length, in, in_length,
                            {wire::alpn_control, wire::alpn_data, wire::alpn_enroll});
  // A device that enrols has no certificate yet; everybody else must show one. The request goes out
  // after this.
  const bool enrols = chosen == SSL_TLSEXT_ERR_OK &&
                      std::string_view{wire::alpn_enroll} ==
                          std::string_view{reinterpret_cast<const char*>(*out), *out_length};
  if (enrols) ::SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
  return chosen;
}

int choose_end_to_end_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                           const unsigned char* in, unsigned in_length, void*) {
  return choose(ssl, out, out_length, in, in_length, {wire::alpn_end_to_end});
}

/// A TLS client without ALPN is none of ours (a browser, a scanner): the ALPN callback is not even
/// called for it.
int refuse_without_alpn(SSL* ssl, int* alert, void*) {
  const unsigned char* data = nullptr;
  std::size_t length = 0;
  if (::SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
                                  &length) == 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

}  // namespace

/// The slot of an SSL_CTX for what we know of its peer; freed with the SSL_CTX, that is with its
/// last SSL.
int TlsContext::check_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* check, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<PeerCheck*>(check);
      });
  return index;
}

TlsContext::TlsContext(bool is_server)
    : context_{::SSL_CTX_new(is_server ? ::TLS_server_method() : ::TLS_client_method())},
      is_server_{is_server},
      check_{nullptr} {
  auto* context = context_.get();
  if (context == nullptr) throw CryptoError{"make a TLS context"};
  auto check = std::make_unique<PeerCheck>();
  if (::SSL_CTX_set_ex_data(context, check_index(), check.get()) != 1)
    throw CryptoError{"make a TLS context"};
  check_ = check.release();
  ::SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  ::SSL_CTX_set_options(
      context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                   // The server's order counts, but ChaCha20 when the client wants it first.
                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  ::SSL_CTX_set_num_tickets(context, 0);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // No automatic chain: the other end has the CA, and a server would keep a parsed copy of it for
  // every device.
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  ::SSL_CTX_set_read_ahead(context, 0);
  ::SSL_CTX_set_max_cert_list(context, 2 * static_cast<long>(wire::certificate_bytes_max));
  if (::SSL_CTX_set_ciphersuites(context, cipher_suites(has_aes_instructions())) != 1 ||
      ::SSL_CTX_set1_groups_list(context, groups) != 1)
    throw CryptoError{"choose TLS ciphers and groups"};
}

const char* cipher_suites(bool has_aes_instructions) {
  return has_aes_instructions
             ? "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
             : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
}

bool has_aes_instructions() {
#if defined(__aarch64__)
  return (::getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#elif defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") != 0;
#else
  return false;
#endif
}

namespace {

void show(SSL_CTX* context, const Credentials& own) {
  if (::SSL_CTX_use_certificate(context, own.certificate.get()) != 1 ||
      ::SSL_CTX_use_PrivateKey(context, own.key.get()) != 1 ||
      ::SSL_CTX_check_private_key(context) != 1)
    throw CryptoError{"use our certificate and key"};
}

void trust(SSL_CTX* context, const Certificate& ca, bool check_dates) {
  auto* store = ::SSL_CTX_get_cert_store(context);
  if (::X509_STORE_add_cert(store, ca.get()) != 1) throw CryptoError{"trust the CA"};
  if (!check_dates) ::X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
}

void offer_alpn(SSL_CTX* context, std::string_view protocol) {
  const auto list = alpn_list({protocol});
  if (::SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                                static_cast<unsigned>(list.size())) != 0)
    throw CryptoError{"offer an application protocol"};
}

}  // namespace

/// Called for each certificate of the chain, the leaf (depth 0) last.
static int verify_peer(int good, X509_STORE_CTX* store) {
  if (good != 1 || ::X509_STORE_CTX_get_error_depth(store) != 0) return good;
  const auto* ssl = static_cast<const SSL*>(
      ::X509_STORE_CTX_get_ex_data(store, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
  const bool accepted =
      TlsContext::accepts_leaf(::SSL_get_SSL_CTX(ssl), ::X509_STORE_CTX_get_current_cert(store));
  if (!accepted) ::X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return accepted ? 1 : 0;
}

bool TlsContext::accepts_leaf(SSL_CTX* context, X509* leaf) {
  const auto& check = *static_cast<const PeerCheck*>(::SSL_CTX_get_ex_data(context, check_index()));
  if (check.is_server && !has_uri(leaf, server_uri)) return false;
  if (check.key_hash && crypto::key_hash(leaf) != *check.key_hash) return false;
  if (check.identity) {
    const auto identity = Certificate::identity_of(leaf);
    if (!identity || *identity != *check.identity) return false;
  }
  return true;
}

TlsContext TlsContext::server(const Credentials& own, const Certificate& ca) {
  TlsContext made{true};
  auto* context = made.context_.get();
  show(context, own);
  trust(context, ca, true);
  ::X509_up_ref(ca.get());
  if (SSL_CTX_add_extra_chain_cert(context, ca.get()) != 1)
    throw CryptoError{"add the CA to the chain"};
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  ::SSL_CTX_set_alpn_select_cb(context, choose_server_alpn, nullptr);
  ::SSL_CTX_set_client_hello_cb(context, refuse_without_alpn, nullptr);
  return made;
}

TlsContext TlsContext::device(const Credentials& own, const Certificate& ca, std::string_view alpn,
                              bool check_dates) {
  TlsContext made{false};
  auto* context = made.context_.get();
  show(context, own);
  trust(context, ca, check_dates);
  made.check_->is_server = true;
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verify_peer);
  offer_alpn(context, alpn);
  return made;
}

/// Trusts, for this one handshake, the CA in the peer's own chain whose fingerprint is pinned.
static int verify_pinned(X509_STORE_CTX* store, void* argument) {
  const auto& pinned =
      *static_cast<const std::array<std::byte, wire::fingerprint_bytes>*>(argument);
  auto* chain = ::X509_STORE_CTX_get0_untrusted(store);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    auto* candidate = sk_X509_value(chain, i);
    Hash hash{};
    unsigned length = hash.size();
    ::X509_digest(candidate, EVP_sha256(), reinterpret_cast<unsigned char*>(hash.data()), &length);
    if (!std::equal(pinned.begin(), pinned.end(), hash.begin())) continue;
    const std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * s) { sk_X509_free(s); })>
        trusted{sk_X509_new_null()};
    sk_X509_push(trusted.get(), candidate);
    ::X509_STORE_CTX_set0_trusted_stack(store, trusted.get());
    auto* parameters = ::X509_STORE_CTX_get0_param(store);
    ::X509_VERIFY_PARAM_set_flags(
        parameters, X509_V_FLAG_NO_CHECK_TIME);  // the clock may be wrong; the pin is not
    const int good = ::X509_verify_cert(store);
    if (good == 1 && !has_uri(::X509_STORE_CTX_get0_cert(store), server_uri)) {
      ::X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
      return 0;
    }
    return good;
  }
  ::X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
  return 0;
}

TlsContext TlsContext::enrolling(
    const std::array<std::byte, wire::fingerprint_bytes>& ca_fingerprint) {
  TlsContext made{false};
  auto* context = made.context_.get();
  made.check_->ca_fingerprint = ca_fingerprint;
  ::SSL_CTX_set_cert_verify_callback(context, verify_pinned, &*made.check_->ca_fingerprint);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  offer_alpn(context, wire::alpn_enroll);
  return made;
}

TlsContext TlsContext::end_to_end(const Credentials& own, const Certificate& ca,
                                  const wire::Identity& peer, const Hash& peer_key_hash,
                                  bool check_dates) {
  const bool is_server = peer.role == wire::Role::master;  // the onsite is the TLS server
  TlsContext made{is_server};
  auto* context = made.context_.get();
  show(context, own);
  trust(context, ca, check_dates);
  made.check_->identity = peer;
  made.check_->key_hash = peer_key_hash;
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify_peer);
  if (is_server) {
    ::SSL_CTX_set_alpn_select_cb(context, choose_end_to_end_alpn, nullptr);
    ::SSL_CTX_set_client_hello_cb(context, refuse_without_alpn, nullptr);
  } else {
    offer_alpn(context, wire::alpn_end_to_end);
  }
  return made;
}

SslHandle TlsContext::new_ssl() const {
  SslHandle ssl{::SSL_new(context_.get())};
  if (!ssl) throw CryptoError{"make a TLS connection"};
  if (is_server_)
    ::SSL_set_accept_state(ssl.get());
  else
    ::SSL_set_connect_state(ssl.get());
  return ssl;
}

std::string negotiated_alpn(SSL* ssl) {
  const unsigned char* protocol = nullptr;
  unsigned length = 0;
  ::SSL_get0_alpn_selected(ssl, &protocol, &length);
  return {reinterpret_cast<const char*>(protocol), length};
}

Result<TlsPeer> tls_peer(SSL* ssl) {
  auto* certificate = ::SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr || ::SSL_get_verify_result(ssl) != X509_V_OK)
    return wire::Errc::wrong_party;
  const auto identity = Certificate::identity_of(certificate);
  if (!identity) return wire::Errc::wrong_party;
  tm expires{};
  ::ASN1_TIME_to_tm(::X509_get0_notAfter(certificate), &expires);
  return TlsPeer{*identity, key_hash(certificate), static_cast<UnixSeconds>(::timegm(&expires))};
}

namespace {

/// One part of a name, as text.
std::string part_of(X509_NAME* name, int nid) {
  const int at = ::X509_NAME_get_index_by_NID(name, nid, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int length =
      ::ASN1_STRING_to_UTF8(&text, ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(name, at)));
  if (length < 0) return {};
  std::string part{reinterpret_cast<char*>(text), static_cast<std::size_t>(length)};
  ::OPENSSL_free(text);
  return part;
}

bool blames_the_issuer(long verdict) {
  return verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
         verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
         verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
         verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
         verdict == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
         verdict == X509_V_ERR_CERT_SIGNATURE_FAILURE || verdict == X509_V_ERR_CERT_UNTRUSTED;
}

}  // namespace

std::optional<OtherIssuer> other_issuer(SSL* ssl) {
  constexpr std::size_t name_bytes_max = 100;
  auto* chain = ::SSL_get_peer_cert_chain(ssl);
  if (!blames_the_issuer(::SSL_get_verify_result(ssl)) || sk_X509_num(chain) < 1)
    return std::nullopt;
  auto* leaf = sk_X509_value(chain, 0);
  auto* issuer = ::X509_get_issuer_name(leaf);
  const auto organisation = part_of(issuer, NID_organizationName);
  auto name = part_of(issuer, NID_commonName);
  if (name.empty()) name = organisation;
  if (!organisation.empty() && organisation != name) name += " (" + organisation + ")";
  if (name.empty()) name = "nobody";
  return OtherIssuer{wire::to_plain_text(name, name_bytes_max), has_uri(leaf, server_uri)};
}

Hash exporter_key(SSL* ssl) {
  Hash key{};
  if (::SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(key.data()), key.size(),
                                   exporter_label, sizeof exporter_label - 1, nullptr, 0, 0) != 1)
    throw CryptoError{"export a key of the TLS session"};
  return key;
}

namespace {

/// "tlsv1 alert unknown ca" as a person wants it; "" when `code` is no alert.
std::string alert_of_peer(unsigned long code) {
  constexpr std::string_view mark = "alert ";
  if (ERR_GET_LIB(code) != ERR_LIB_SSL || ERR_GET_REASON(code) < SSL_AD_REASON_OFFSET) return {};
  const char* reason = ::ERR_reason_error_string(code);
  if (reason == nullptr)
    return "alert " + std::to_string(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) +
           " from the peer";
  std::string_view name{reason};
  if (const auto at = name.find(mark); at != std::string_view::npos)
    name.remove_prefix(at + mark.size());
  return std::string{name} + " (alert from the peer)";
}

}  // namespace

std::string tls_failure(SSL* ssl) {
  if (auto alert = alert_of_peer(::ERR_peek_error()); !alert.empty()) {
    drain_reasons();
    return alert;
  }
  const long verdict = ::SSL_get_verify_result(ssl);
  if (verdict == X509_V_ERR_APPLICATION_VERIFICATION) {
    drain_reasons();
    return "the peer's certificate belongs to somebody else";
  }
  if (verdict != X509_V_OK) {
    drain_reasons();
    return std::string{"the peer's certificate is not accepted: "} +
           ::X509_verify_cert_error_string(verdict);
  }
  return drain_reasons();
}

}  // namespace tunnel::crypto
