#include "crypto/certificate.hpp"

#include "support/memory_tls.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/x509v3.h>

namespace tunnel::crypto {
namespace {

constexpr UnixSeconds now = 1'768'000'000;  // 2026-01-09

const test::World& world() {
  static const test::World made{now};
  return made;
}

/// True when `leaf` chains to `ca` for the purpose at that time, by OpenSSL's own rules.
bool chains(const Certificate& leaf, const Certificate& ca, int purpose, UnixSeconds at,
            const Certificate* between = nullptr) {
  const std::unique_ptr<X509_STORE, Freed<X509_STORE_free>> store{::X509_STORE_new()};
  ::X509_STORE_add_cert(store.get(), ca.get());
  const std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * all) { sk_X509_free(all); })>
      sent{sk_X509_new_null()};
  if (between != nullptr) sk_X509_push(sent.get(), between->get());
  const std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>> context{::X509_STORE_CTX_new()};
  ::X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), sent.get());
  ::X509_STORE_CTX_set_purpose(context.get(), purpose);
  ::X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT);
  ::X509_STORE_CTX_set_time(context.get(), 0, at);
  return ::X509_verify_cert(context.get()) == 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_device_certificate_says_who_and_with_which_key) {
  const auto& device = world().onsite;
  BOOST_TEST((device.certificate.identity().value() == device.identity));
  BOOST_TEST((device.certificate.key_hash() == device.key.hash()));
  BOOST_TEST(device.certificate.not_before() == now - test::day);
  BOOST_TEST(device.certificate.not_after() == now + 90 * test::day);
}

BOOST_AUTO_TEST_CASE(a_certificate_comes_back_from_its_pem) {
  const auto& certificate = world().onsite.certificate;
  const auto same = Certificate::from_pem(certificate.pem());
  BOOST_TEST((same.fingerprint() == certificate.fingerprint()));
  BOOST_TEST(certificate.pem().size() <= wire::certificate_bytes_max);
  for (const std::string& text : {std::string{}, std::string{"garbage"},
                                  certificate.pem().substr(0, 200), Key::generate().public_pem()})
    BOOST_CHECK_THROW(Certificate::from_pem(text), CryptoError);
  BOOST_CHECK_THROW(Certificate::from_pem({}), CryptoError);
}

BOOST_AUTO_TEST_CASE(certificates_chain_to_their_own_authority_for_their_own_purpose) {
  const auto& device = world().master.certificate;
  const auto& server = world().server;
  BOOST_TEST(chains(device, world().ca(), X509_PURPOSE_SSL_CLIENT, now));
  BOOST_TEST(
      chains(device, world().ca(), X509_PURPOSE_SSL_SERVER, now));  // the inner session's server
  BOOST_TEST(chains(server, world().ca(), X509_PURPOSE_SSL_SERVER, now));
  BOOST_TEST(!chains(server, world().ca(), X509_PURPOSE_SSL_CLIENT, now));
  const test::World other{now};
  BOOST_TEST(!chains(device, other.ca(), X509_PURPOSE_SSL_CLIENT, now));
}

BOOST_AUTO_TEST_CASE(dates_count_from_a_day_ago) {
  const auto& device = world().master.certificate;
  for (const auto& [at, good] : {std::pair{now - test::day - 1, false},
                                 {now - test::day, true},
                                 {now + 90 * test::day - 1, true},
                                 {now + 90 * test::day, false}})
    BOOST_TEST(chains(device, world().ca(), X509_PURPOSE_SSL_CLIENT, at) == good);
  BOOST_TEST(world().server.not_after() == now + 3650 * test::day);
  BOOST_TEST(world().ca().not_after() == now + 7300 * test::day);  // 2046: UTCTime
  const auto far = Authority::create(4'000'000'000);               // 2096: GeneralizedTime
  BOOST_TEST(far.certificate().not_before() == 4'000'000'000 - test::day);
}

BOOST_AUTO_TEST_CASE(a_device_cannot_issue) {
  const auto& device = world().master;
  BOOST_CHECK_THROW(Authority::load(device.key.private_pem(), device.certificate.pem()),
                    CryptoError);
  const Certificate forged{CertificateHandle{::X509_dup(world().onsite.certificate.get())}};
  ::X509_set_issuer_name(forged.get(), ::X509_get_subject_name(device.certificate.get()));
  BOOST_REQUIRE(::X509_sign(forged.get(), device.key.get(), ::EVP_sha256()) > 0);
  BOOST_TEST(!chains(forged, world().ca(), X509_PURPOSE_SSL_CLIENT, now, &device.certificate));
  BOOST_TEST(chains(world().onsite.certificate, world().ca(), X509_PURPOSE_SSL_CLIENT, now,
                    &device.certificate));
  BOOST_TEST(::X509_check_ca(device.certificate.get()) == 0);
  BOOST_TEST(::X509_check_ca(world().ca().get()) == 1);
}

BOOST_AUTO_TEST_CASE(serial_numbers_do_not_repeat) {
  const auto key = Key::generate();
  const auto first = world().authority.issue_device(key, world().onsite.identity, now, test::day);
  const auto second = world().authority.issue_device(key, world().onsite.identity, now, test::day);
  BOOST_TEST(::ASN1_INTEGER_cmp(::X509_get0_serialNumber(first.get()),
                                ::X509_get0_serialNumber(second.get())) != 0);
}

BOOST_AUTO_TEST_CASE(the_server_certificate_names_its_hosts_and_is_no_device) {
  const auto server = world().authority.issue_server(
      Key::generate(), {"192.0.2.1", "2001:db8::1", "rdv.example.com"}, now);
  BOOST_TEST(::X509_check_ip_asc(server.get(), "192.0.2.1", 0) == 1);
  BOOST_TEST(::X509_check_ip_asc(server.get(), "2001:db8::1", 0) == 1);
  BOOST_TEST(::X509_check_host(server.get(), "rdv.example.com", 0, 0, nullptr) == 1);
  BOOST_TEST((server.identity().error() == wire::Errc::bad_name));
  BOOST_TEST((world().ca().identity().error() == wire::Errc::bad_name));
}

BOOST_AUTO_TEST_CASE(a_host_name_cannot_smuggle_another_name_into_the_certificate) {
  for (const auto* host : {"a,URI:rdv:rdv:master:anna", "a\nb", "a,DNS:b"})
    BOOST_CHECK_THROW(world().authority.issue_server(Key::generate(), {host}, now), CryptoError);
}

BOOST_AUTO_TEST_CASE(an_authority_loads_only_with_its_own_key) {
  const auto& authority = world().authority;
  const auto loaded = Authority::load(authority.key().private_pem(), authority.certificate().pem());
  BOOST_TEST((loaded.certificate().fingerprint() == authority.certificate().fingerprint()));
  BOOST_CHECK_THROW(Authority::load(Key::generate().private_pem(), authority.certificate().pem()),
                    CryptoError);
}

BOOST_AUTO_TEST_CASE(a_request_cannot_choose_its_identity) {
  const auto key = Key::generate();
  const auto wanted = key_of_csr(make_csr(key, "rdv:rdv:master:anna"));
  const auto certificate =
      world().authority.issue_device(*wanted, world().onsite.identity, now, test::day);
  BOOST_TEST((certificate.identity().value() == world().onsite.identity));
}

}  // namespace tunnel::crypto
