#include "crypto/tls_context.hpp"

#include "support/memory_tls.hpp"
#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/err.h>

namespace tunnel::crypto {
namespace {

using test::TlsPair;

const test::World& world() {
  static const test::World made;
  return made;
}
TlsContext server() {
  return TlsContext::server(world().server_credentials(), world().ca());
}
TlsContext device(std::string_view alpn) {
  return TlsContext::device(world().onsite.credentials(), world().ca(), alpn);
}

/// A client of somebody else: trusts all, shows nothing, offers `alpn` (in wire form).
struct Stranger {
  explicit Stranger(std::string_view alpn, int version_max = TLS1_3_VERSION)
      : context{::SSL_CTX_new(::TLS_client_method())} {
    ::SSL_CTX_set_max_proto_version(context.get(), version_max);
    if (!alpn.empty())
      ::SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                                static_cast<unsigned>(alpn.size()));
  }
  SslHandle new_ssl() const {
    SslHandle ssl{::SSL_new(context.get())};
    ::SSL_set_connect_state(ssl.get());
    return ssl;
  }
  SslContextHandle context;
};

struct Refusal {
  std::string client, server;
};
Refusal refusal(const Stranger& stranger) {
  const auto context = server();
  TlsPair pair{context, context};
  pair.client = test::TlsEnd{stranger.new_ssl()};
  BOOST_TEST(!pair.handshake());
  return {pair.client.failure(), pair.server.failure()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_device_reaches_the_server_on_each_of_its_channels) {
  const auto context = server();
  for (const std::string alpn : {wire::alpn_control, wire::alpn_data}) {
    const auto own = device(alpn);
    TlsPair pair{own, context};
    BOOST_REQUIRE_MESSAGE(pair.handshake(), pair.client.failure() << "; " << pair.server.failure());
    BOOST_TEST(negotiated_alpn(pair.client.ssl()) == alpn);
    BOOST_TEST(negotiated_alpn(pair.server.ssl()) == alpn);
    const auto peer = tls_peer(pair.server.ssl());
    BOOST_REQUIRE(peer);
    BOOST_TEST(
        (peer->identity == world().onsite.identity && peer->key_hash == world().onsite.key.hash()));
    BOOST_TEST(peer->certificate_expires == world().onsite.certificate.not_after());
    BOOST_TEST((tls_peer(pair.client.ssl()).error() ==
                wire::Errc::wrong_party));  // the server is no device
  }
}

BOOST_AUTO_TEST_CASE(control_and_data_demand_a_certificate_and_enrolment_does_not) {
  for (const std::string_view alpn :
       {"\x0drdv-control/1", "\x0ardv-data/1", "\x0ardv-data/1\x0crdv-enroll/1",
        "\x0crdv-enroll/1\x0drdv-control/1"}) {
    const auto refused = refusal(Stranger{alpn});
    BOOST_TEST(refused.server == "peer did not return a certificate");
    BOOST_TEST(refused.client == "certificate required (alert from the peer)");
  }
  const Stranger stranger{"\x0crdv-enroll/1"};
  const auto context = server();
  TlsPair pair{context, context};
  pair.client = test::TlsEnd{stranger.new_ssl()};
  BOOST_TEST(pair.handshake());
  BOOST_TEST(negotiated_alpn(pair.server.ssl()) == wire::alpn_enroll);
  BOOST_TEST((tls_peer(pair.server.ssl()).error() == wire::Errc::wrong_party));
}

BOOST_AUTO_TEST_CASE(a_device_with_a_certificate_can_enrol_anew_and_stays_unknown_there) {
  const auto context = server();
  const auto own = device(wire::alpn_enroll);
  TlsPair pair{own, context};
  BOOST_TEST(pair.handshake());
  BOOST_TEST((tls_peer(pair.server.ssl()).error() == wire::Errc::wrong_party));
}

BOOST_AUTO_TEST_CASE(a_client_that_is_none_of_ours_is_told_so_and_nothing_else) {
  for (const std::string_view alpn :
       {"", "\x02h2\x08http/1.1", "\x0drdv-control/2", "\x09rdv-e2e/1", "\x0crdv-control/"}) {
    const auto refused = refusal(Stranger{alpn});
    BOOST_TEST(refused.client == "no application protocol (alert from the peer)");
    BOOST_TEST(!refused.server.empty());
  }
}

BOOST_AUTO_TEST_CASE(older_tls_is_refused) {
  const auto refused = refusal(Stranger{"\x0drdv-control/1", TLS1_2_VERSION});
  BOOST_TEST(refused.server == "unsupported protocol");
  BOOST_TEST(refused.client == "protocol version (alert from the peer)");
}

BOOST_AUTO_TEST_CASE(garbage_and_http_end_with_words) {
  const auto context = server();
  for (const auto& [bytes, why] : {std::pair{"GET / HTTP/1.1\r\n\r\n", "http request"},
                                   {"SSH-2.0-OpenSSH_9.2p1\r\n", "wrong version number"}}) {
    test::TlsEnd end{context.new_ssl()};
    end.put_input(bytes);
    end.step();
    BOOST_TEST(end.failure() == why);
  }
}

BOOST_AUTO_TEST_CASE(x25519_is_the_group_and_the_version_is_1_3) {
  const auto context = server();
  const auto own = device(wire::alpn_control);
  TlsPair pair{own, context};
  BOOST_REQUIRE(pair.handshake());
  BOOST_TEST(SSL_get_negotiated_group(pair.client.ssl()) == NID_X25519);
  BOOST_TEST(::SSL_version(pair.server.ssl()) == TLS1_3_VERSION);
}

BOOST_AUTO_TEST_CASE(chacha20_is_used_when_either_end_has_no_aes_instructions) {
  for (const bool client_aes : {false, true})
    for (const bool server_aes : {false, true}) {
      const auto context = server();
      const auto own = device(wire::alpn_data);
      ::SSL_CTX_set_ciphersuites(own.get(), cipher_suites(client_aes));
      ::SSL_CTX_set_ciphersuites(context.get(), cipher_suites(server_aes));
      TlsPair pair{own, context};
      BOOST_REQUIRE(pair.handshake());
      const std::string cipher = ::SSL_get_cipher_name(pair.client.ssl());
      BOOST_TEST(cipher == (client_aes && server_aes ? "TLS_AES_256_GCM_SHA384"
                                                     : "TLS_CHACHA20_POLY1305_SHA256"));
    }
}

BOOST_AUTO_TEST_CASE(nothing_follows_the_handshake) {
  const auto context = server();
  const auto own = device(wire::alpn_data);
  TlsPair pair{own, context};
  BOOST_REQUIRE(pair.handshake());
  BOOST_TEST(::SSL_CTX_get_num_tickets(context.get()) == 0U);
  BOOST_TEST(pair.carry() == 0U);  // no NewSessionTicket is on its way
  BOOST_TEST(!::SSL_SESSION_is_resumable(::SSL_get0_session(pair.client.ssl())));
  pair.server.write("x");
  BOOST_TEST(pair.server.take_output().size() ==
             5U + 1 + 1 + 16);  // header, text, type, tag: one record
}

BOOST_AUTO_TEST_CASE(both_ends_of_one_session_and_nobody_else_have_the_exporter_key) {
  const auto context = server();
  const auto own = device(wire::alpn_control);
  TlsPair first{own, context};
  TlsPair second{own, context};
  BOOST_REQUIRE((first.handshake() && second.handshake()));
  BOOST_TEST((exporter_key(first.client.ssl()) == exporter_key(first.server.ssl())));
  BOOST_TEST((exporter_key(second.client.ssl()) == exporter_key(second.server.ssl())));
  BOOST_TEST((exporter_key(first.client.ssl()) != exporter_key(second.client.ssl())));
}

BOOST_AUTO_TEST_CASE(a_connection_may_outlive_its_context) {
  auto context = std::make_unique<TlsContext>(server());
  auto own = std::make_unique<TlsContext>(device(wire::alpn_control));
  auto enrolling = std::make_unique<TlsContext>(TlsContext::enrolling(world().pin()));
  TlsPair pair{*own, *context};
  TlsPair pinned{*enrolling, *context};
  context.reset();
  own.reset();
  enrolling.reset();
  BOOST_TEST(pair.handshake());
  BOOST_TEST(pinned.handshake());
}

BOOST_AUTO_TEST_CASE(a_moved_context_checks_its_peer_as_before) {
  auto first = device(wire::alpn_control);
  const TlsContext moved{std::move(first)};
  auto assigned = server();
  assigned = server();
  TlsPair pair{moved, assigned};
  BOOST_TEST(pair.handshake());
}

}  // namespace tunnel::crypto
