#include "crypto/key.hpp"

#include "crypto/certificate.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

namespace tunnel::crypto {
namespace {

std::string private_pem(EVP_PKEY* key, const EVP_CIPHER* cipher = nullptr) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> bio{::BIO_new(::BIO_s_mem())};
  char passphrase[] = "secret";
  BOOST_REQUIRE(::PEM_write_bio_PKCS8PrivateKey(bio.get(), key, cipher,
                                                cipher == nullptr ? nullptr : passphrase,
                                                cipher == nullptr ? 0 : 6, nullptr, nullptr) == 1);
  char* text = nullptr;
  const auto length = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

/// The same curve, spelt out in numbers instead of named.
Key with_explicit_curve() {
  auto key = Key::generate();
  BOOST_REQUIRE(::EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_ENCODING,
                                                 OSSL_PKEY_EC_ENCODING_EXPLICIT) == 1);
  return key;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_key_comes_back_from_its_pem) {
  const auto key = Key::generate();
  const auto same = Key::private_from_pem(key.private_pem());
  const auto half = Key::public_from_pem(key.public_pem());
  BOOST_TEST((same.hash() == key.hash()));
  BOOST_TEST((half.hash() == key.hash()));
  BOOST_TEST((Key::generate().hash() != key.hash()));
  BOOST_TEST(half.verify("c", as_bytes("text"), same.sign("c", as_bytes("text"))));
}

BOOST_AUTO_TEST_CASE(what_is_no_key_of_ours_is_refused_with_words) {
  const KeyHandle p384{EVP_EC_gen("P-384")};
  const KeyHandle rsa{EVP_RSA_gen(2048)};
  const KeyHandle x25519{EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")};
  for (auto* key : {p384.get(), rsa.get(), x25519.get()}) {
    BOOST_TEST(!is_p256(key));
    BOOST_CHECK_THROW(Key::private_from_pem(private_pem(key)), CryptoError);
  }
  BOOST_TEST(!is_p256(with_explicit_curve().get()));
  const auto pem = Key::generate().private_pem();
  for (const std::string& text : {std::string{}, std::string{"garbage"},
                                  pem.substr(0, pem.size() / 2), std::string(100'000, 'A')}) {
    BOOST_CHECK_THROW(Key::private_from_pem(text), CryptoError);
    BOOST_CHECK_THROW(Key::public_from_pem(text), CryptoError);
  }
  BOOST_CHECK_THROW(Key::private_from_pem({}), CryptoError);
  BOOST_CHECK_THROW(Key::private_from_pem(Key::generate().public_pem()), CryptoError);
}

BOOST_AUTO_TEST_CASE(an_encrypted_key_is_an_error_and_no_question_at_the_terminal) {
  const auto key = Key::generate();
  BOOST_CHECK_THROW(Key::private_from_pem(private_pem(key.get(), ::EVP_aes_256_cbc())),
                    CryptoError);
}

BOOST_AUTO_TEST_CASE(a_signature_holds_for_its_context_bytes_and_key_alone) {
  const auto key = Key::generate();
  const auto signature = key.sign("rdv-grant/1", as_bytes("the grant"));
  BOOST_TEST(signature.size() <= wire::signature_bytes_max);
  BOOST_TEST(key.verify("rdv-grant/1", as_bytes("the grant"), signature));
  BOOST_TEST(!key.verify("rdv-grant/2", as_bytes("the grant"), signature));
  BOOST_TEST(!key.verify("", as_bytes("the grant"), signature));
  BOOST_TEST(!key.verify("rdv-grant/1", as_bytes("the Grant"), signature));
  BOOST_TEST(!key.verify("rdv-grant/1", {}, signature));
  BOOST_TEST(!Key::generate().verify("rdv-grant/1", as_bytes("the grant"), signature));
}

BOOST_AUTO_TEST_CASE(a_changed_cut_or_longer_signature_does_not_hold) {
  const auto key = Key::generate();
  const auto good = key.sign("c", as_bytes("bytes"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto changed = good;
    changed[i] ^= std::byte{1};
    BOOST_TEST(!key.verify("c", as_bytes("bytes"), changed), "byte " << i);
    BOOST_TEST(!key.verify("c", as_bytes("bytes"), ByteView{good}.first(i)));
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  BOOST_TEST(!key.verify("c", as_bytes("bytes"), longer));
  BOOST_TEST(!key.verify("c", as_bytes("bytes"), Bytes(1000, std::byte{0x30})));
}

BOOST_AUTO_TEST_CASE(a_public_half_cannot_sign) {
  const auto half = Key::public_from_pem(Key::generate().public_pem());
  BOOST_CHECK_THROW(half.sign("c", {}), CryptoError);
}

BOOST_AUTO_TEST_CASE(a_request_proves_that_its_key_is_held) {
  const auto key = Key::generate();
  const auto csr = make_csr(key);
  BOOST_TEST(csr.size() <= wire::csr_bytes_max);
  BOOST_TEST((key_of_csr(csr).value().hash() == key.hash()));
  BOOST_TEST((key_of_csr(make_csr(key, "another name")).value().hash() == key.hash()));

  auto forged = csr;
  forged.back() ^= std::byte{1};  // in the signature's last number
  BOOST_TEST((key_of_csr(forged).error() == wire::Errc::bad_signature));
}

BOOST_AUTO_TEST_CASE(what_is_no_request_of_ours_is_malformed) {
  const auto csr = make_csr(Key::generate());
  auto trailing = csr;
  trailing.push_back(std::byte{0});
  BOOST_TEST((key_of_csr(trailing).error() == wire::Errc::malformed));
  BOOST_TEST((key_of_csr({}).error() == wire::Errc::malformed));
  BOOST_TEST((key_of_csr(as_bytes("garbage")).error() == wire::Errc::malformed));
  BOOST_TEST((key_of_csr(Bytes(wire::csr_bytes_max + 1)).error() == wire::Errc::malformed));
  for (std::size_t length = 0; length < csr.size(); ++length)
    BOOST_TEST((key_of_csr(ByteView{csr}.first(length)).error() == wire::Errc::malformed));
  BOOST_TEST(
      (key_of_csr(make_csr(Key{KeyHandle{EVP_EC_gen("P-384")}})).error() == wire::Errc::malformed));
  BOOST_TEST(
      (key_of_csr(make_csr(Key{KeyHandle{EVP_RSA_gen(2048)}})).error() == wire::Errc::malformed));
  BOOST_TEST((key_of_csr(make_csr(with_explicit_curve())).error() == wire::Errc::malformed));
}

BOOST_AUTO_TEST_CASE(a_request_with_any_byte_changed_gives_no_other_key) {
  const auto key = Key::generate();
  const auto csr = make_csr(key);
  for (std::size_t i = 0; i < csr.size(); ++i) {
    auto changed = csr;
    changed[i] ^= std::byte{0x41};
    BOOST_TEST(key_of_csr(changed).has_error(), "byte " << i);
  }
}

}  // namespace tunnel::crypto
