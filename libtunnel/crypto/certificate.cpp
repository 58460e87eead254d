#include "crypto/certificate.hpp"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace tunnel::crypto {
namespace {

using BioHandle = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using ExtensionHandle = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

constexpr UnixSeconds one_day = 24 * 3600;
constexpr UnixSeconds ca_seconds = 20 * 365 * one_day;
constexpr UnixSeconds server_seconds = 10 * 365 * one_day;

UnixSeconds to_unix(const ASN1_TIME* time) {
  tm parts{};
  if (::ASN1_TIME_to_tm(time, &parts) != 1) throw CryptoError{"read a certificate's date"};
  return static_cast<UnixSeconds>(::timegm(&parts));
}

void set_serial(X509* certificate) {
  std::array<std::byte, 16> serial{};  // RFC 5280, 4.1.2.2: positive, at most 20 octets
  random_fill(serial);
  serial[0] &= std::byte{0x7f};
  serial[0] |= std::byte{0x40};
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number{
      ::BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()),
                  static_cast<int>(serial.size()), nullptr)};
  if (::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate)) == nullptr)
    throw CryptoError{"set a certificate's serial number"};
}

void set_subject(X509* certificate, const std::string& common_name) {
  auto* subject = ::X509_get_subject_name(certificate);
  if (::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.data()),
                                   static_cast<int>(common_name.size()), -1, 0) != 1)
    throw CryptoError{"set a certificate's subject"};
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionHandle extension{::X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
  if (!extension || ::X509_add_ext(certificate, extension.get(), -1) != 1)
    throw CryptoError{"add a certificate's extension " + value};
}

struct Template {
  std::string common_name;
  EVP_PKEY* key;
  UnixSeconds not_before, not_after;
};

CertificateHandle start_certificate(const Template& wanted) {
  CertificateHandle certificate{::X509_new()};
  ::X509_set_version(certificate.get(), X509_VERSION_3);
  set_serial(certificate.get());
  set_subject(certificate.get(), wanted.common_name);
  if (::ASN1_TIME_set(X509_getm_notBefore(certificate.get()), wanted.not_before) == nullptr ||
      ::ASN1_TIME_set(X509_getm_notAfter(certificate.get()), wanted.not_after) == nullptr ||
      ::X509_set_pubkey(certificate.get(), wanted.key) != 1)
    throw CryptoError{"make a certificate"};
  return certificate;
}

void sign_with(X509* certificate, X509* issuer, const Key& key) {
  if (::X509_set_issuer_name(certificate, ::X509_get_subject_name(issuer)) != 1 ||
      ::X509_sign(certificate, key.get(), EVP_sha256()) == 0)
    throw CryptoError{"sign a certificate"};
}

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, 16> parsed{};
  return ::inet_pton(AF_INET, host.c_str(), parsed.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), parsed.data()) == 1;
}

/// What may stand behind "DNS:" in X509V3_EXT_conf_nid()'s little language, where a comma begins
/// the next name.
bool is_host_name(const std::string& host) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; };
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), allowed);
}

std::string alternative_name(const std::string& host) {
  if (is_ip_address(host)) return "IP:" + host;
  if (!is_host_name(host))
    throw CryptoError{"name a server that is neither a host name nor an address: " + host};
  return "DNS:" + host;
}

}  // namespace

Certificate Certificate::from_pem(std::string_view pem) {
  const BioHandle bio{::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  CertificateHandle certificate{::PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)};
  if (!certificate) throw CryptoError{"read a certificate"};
  return Certificate{std::move(certificate)};
}

std::string Certificate::pem() const {
  const BioHandle bio{::BIO_new(::BIO_s_mem())};
  if (::PEM_write_bio_X509(bio.get(), handle_.get()) != 1) throw CryptoError{"write a certificate"};
  char* text = nullptr;
  const auto length = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

Hash Certificate::fingerprint() const {
  Hash hash{};
  unsigned length = hash.size();
  if (::X509_digest(handle_.get(), EVP_sha256(), reinterpret_cast<unsigned char*>(hash.data()),
                    &length) != 1)
    throw CryptoError{"hash a certificate"};
  return hash;
}

UnixSeconds Certificate::not_before() const {
  return to_unix(::X509_get0_notBefore(handle_.get()));
}
UnixSeconds Certificate::not_after() const {
  return to_unix(::X509_get0_notAfter(handle_.get()));
}

Result<wire::Identity> Certificate::identity_of(X509* certificate) {
  const NamesHandle names{static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* name = ::GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_URI) continue;
    const auto* value = static_cast<const ASN1_STRING*>(name);
    return wire::Identity::parse_uri({reinterpret_cast<const char*>(::ASN1_STRING_get0_data(value)),
                                      static_cast<std::size_t>(::ASN1_STRING_length(value))});
  }
  return wire::Errc::bad_name;
}

Bytes make_csr(const Key& key, std::string_view common_name) {
  const CsrHandle csr{::X509_REQ_new()};
  auto* subject = ::X509_REQ_get_subject_name(csr.get());
  unsigned char* der = nullptr;
  int length = -1;
  const bool made =
      ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.data()),
                                   static_cast<int>(common_name.size()), -1, 0) == 1 &&
      ::X509_REQ_set_pubkey(csr.get(), key.get()) == 1 &&
      ::X509_REQ_sign(csr.get(), key.get(), EVP_sha256()) > 0 &&
      (length = ::i2d_X509_REQ(csr.get(), &der)) > 0;
  if (!made) throw CryptoError{"make a certificate request"};
  const auto bytes = std::as_bytes(std::span{der, static_cast<std::size_t>(length)});
  Bytes request{bytes.begin(), bytes.end()};
  OPENSSL_free(der);
  return request;
}

Result<Key> key_of_csr(ByteView der) {
  if (der.size() > wire::csr_bytes_max) return wire::Errc::malformed;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  const CsrHandle csr{::d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size()))};
  KeyHandle key{csr && at == end ? ::X509_REQ_get_pubkey(csr.get()) : nullptr};
  if (!key || !is_p256(key.get())) {
    drain_reasons();
    return wire::Errc::malformed;
  }
  if (::X509_REQ_verify(csr.get(), key.get()) != 1) {
    drain_reasons();
    return wire::Errc::bad_signature;
  }
  return Key{std::move(key)};
}

Authority Authority::create(UnixSeconds now) {
  auto key = Key::generate();
  auto certificate = start_certificate({"RDV CA", key.get(), now - one_day, now + ca_seconds});
  add_extension(certificate.get(), certificate.get(), NID_basic_constraints,
                "critical,CA:TRUE,pathlen:0");
  add_extension(certificate.get(), certificate.get(), NID_key_usage,
                "critical,keyCertSign,cRLSign");
  add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
  sign_with(certificate.get(), certificate.get(), key);
  return {std::move(key), Certificate{std::move(certificate)}};
}

Authority Authority::load(std::string_view key_pem, std::string_view certificate_pem) {
  auto key = Key::private_from_pem(key_pem);
  auto certificate = Certificate::from_pem(certificate_pem);
  if (::X509_check_ca(certificate.get()) != 1)
    throw CryptoError{"use a certificate that is no CA's to issue others"};
  if (key.hash() != certificate.key_hash())
    throw CryptoError{"the CA's key does not belong to its certificate"};
  return {std::move(key), std::move(certificate)};
}

Certificate Authority::issue_device(const Key& key, const wire::Identity& identity, UnixSeconds now,
                                    UnixSeconds life_seconds) const {
  auto certificate =
      start_certificate({identity.name.str(), key.get(), now - one_day, now + life_seconds});
  auto* issuer = certificate_.get();
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, "clientAuth,serverAuth");
  add_extension(certificate.get(), issuer, NID_subject_alt_name, "URI:" + identity.uri());
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
  sign_with(certificate.get(), issuer, key_);
  return Certificate{std::move(certificate)};
}

Certificate Authority::issue_server(const Key& key, const std::vector<std::string>& hosts,
                                    UnixSeconds now) const {
  auto certificate =
      start_certificate({"RDV server", key.get(), now - one_day, now + server_seconds});
  auto* issuer = certificate_.get();
  std::string names = "URI:" + std::string{server_uri};
  for (const auto& host : hosts)
    names += ',' + alternative_name(host);
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), issuer, NID_subject_alt_name, names);
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
  sign_with(certificate.get(), issuer, key_);
  return Certificate{std::move(certificate)};
}

}  // namespace tunnel::crypto
