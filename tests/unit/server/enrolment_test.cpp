#include "enrolment.hpp"

#include "broker_fixture.hpp"
#include "crypto/hash.hpp"
#include "sqlite_store.hpp"

using namespace rdv;
using namespace rdv::test;
using tunnel::crypto::Key;
using wire::RefusalCode;

namespace crypto = tunnel::crypto;

namespace {

const crypto::Authority& authority() {
  static const auto made = crypto::Authority::create(start_unix);
  return made;
}

struct EnrolmentFixture {
  /// Registers a device. @return its code
  wire::EnrolmentCode add(std::string_view device, wire::Role role = wire::Role::onsite) {
    const auto fresh = enrolment.make_code("rdv.example.com:443", start_unix);
    const auto answer = store->add(
        {.name = name(device), .system = name("acme"), .role = role, .site = {}, .allow = {}},
        fresh.stored, start_unix, 100);
    BOOST_TEST((answer == StoreAnswer::done));
    return fresh.code;
  }
  Enrolment::Outcome enroll(const wire::EnrolmentCode& code, const Key& key,
                            tunnel::UnixSeconds now = start_unix) {
    return enrolment.enroll({.secret = code.secret,
                             .csr = crypto::make_csr(key, "somebody-else"),
                             .hostname = "host",
                             .software = "0.1.0"},
                            "198.51.100.7", now);
  }
  wire::EnrollRefused refusal(const Enrolment::Outcome& outcome) {
    BOOST_TEST(!outcome.enrolled);
    BOOST_TEST((outcome.event.kind == Event::Kind::enrol_refused));
    return std::get<wire::EnrollRefused>(outcome.reply);
  }

  std::unique_ptr<Store> store = open_sqlite_store(in_memory, true);
  Enrolment enrolment{*store, authority(), "grant key"};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(enrolment, EnrolmentFixture)

BOOST_AUTO_TEST_CASE(a_code_gives_the_identity_of_the_registry_whatever_the_request_says) {
  const auto code = add("rpi1100");
  const auto key = Key::generate();
  const auto outcome = enroll(code, key);
  const auto& enrolled = std::get<wire::Enrolled>(outcome.reply);
  BOOST_TEST(enrolled.name.str() == "rpi1100");
  BOOST_TEST(enrolled.system.str() == "acme");
  BOOST_TEST(tunnel::as_text(enrolled.grant_key) == "grant key");
  const auto certificate = crypto::Certificate::from_pem(tunnel::as_text(enrolled.certificate));
  BOOST_TEST(certificate.identity().value().uri() == "rdv:acme:onsite:rpi1100");
  BOOST_TEST((certificate.key_hash() == key.hash()));
  BOOST_TEST(certificate.not_after() == start_unix + 90 * 24 * 3600);
  BOOST_TEST(outcome.enrolled->str() == "rpi1100");
  const auto record = store->find(name("rpi1100")).value();
  BOOST_TEST((record.state == DeviceState::enrolled));
  BOOST_TEST((record.key_hash == key.hash()));
  BOOST_TEST(record.enrolled_at == start_unix);
  BOOST_TEST(record.certificate_expires == certificate.not_after());
  BOOST_TEST(record.code_expires == 0);
}

BOOST_AUTO_TEST_CASE(the_code_carries_the_server_and_the_fingerprint_of_its_ca) {
  const auto code = add("rpi1100");
  BOOST_TEST(code.server == "rdv.example.com:443");
  const auto whole = authority().certificate().fingerprint();
  BOOST_TEST(std::equal(code.ca_fingerprint.begin(), code.ca_fingerprint.end(), whole.begin()));
  BOOST_TEST((wire::EnrolmentCode::parse(code.str()).value().secret == code.secret));
}

BOOST_AUTO_TEST_CASE(a_used_code_says_when_it_was_used) {
  const auto code = add("rpi1100");
  enroll(code, Key::generate());
  const auto refused = refusal(enroll(code, Key::generate(), start_unix + 60));
  BOOST_TEST((refused.code == RefusalCode::code_used));
  BOOST_TEST(refused.text ==
             "the enrolment code of rpi1100 was used already at 2026-01-14 09:12 UTC; ask the "
             "administrator for a new one (rdvctl device code NAME)");
}

BOOST_AUTO_TEST_CASE(the_key_that_a_code_went_to_may_ask_again_as_its_answer_may_have_been_lost) {
  const auto code = add("rpi1100");
  const auto key = Key::generate();
  enroll(code, key);
  const auto again = enroll(code, key, start_unix + 60);
  BOOST_TEST(again.enrolled->str() == "rpi1100");
  const auto certificate = crypto::Certificate::from_pem(
      tunnel::as_text(std::get<wire::Enrolled>(again.reply).certificate));
  BOOST_TEST((certificate.key_hash() == key.hash()));
  BOOST_TEST(store->find(name("rpi1100"))->certificate_expires == certificate.not_after());
  BOOST_TEST((refusal(enroll(code, Key::generate())).code == RefusalCode::code_used));
  BOOST_TEST((refusal(enroll(code, key, start_unix + 24 * 3600)).code == RefusalCode::code_used));
}

BOOST_AUTO_TEST_CASE(and_not_when_another_key_has_taken_its_place_or_it_was_revoked) {
  const auto code = add("rpi1100");
  const auto key = Key::generate();
  enroll(code, key);
  const auto fresh = enrolment.make_code("rdv.example.com:443", start_unix);
  store->replace_code(name("rpi1100"), fresh.stored, start_unix);
  BOOST_TEST(enroll(fresh.code, Key::generate()).enrolled.has_value());
  BOOST_TEST((refusal(enroll(code, key)).code == RefusalCode::code_used));
  const auto other = add("rpi1200");
  enroll(other, key);
  store->revoke(name("rpi1200"), "", start_unix);
  BOOST_TEST((refusal(enroll(other, key)).code == RefusalCode::revoked));
}

BOOST_AUTO_TEST_CASE(an_expired_code_says_when_it_expired) {
  const auto code = add("rpi1100");
  const auto life = 24 * 3600;
  const auto refused = refusal(enroll(code, Key::generate(), start_unix + life));
  BOOST_TEST((refused.code == RefusalCode::code_expired));
  BOOST_TEST((refused.text.find("expired at 2026-01-15 09:12 UTC") != std::string::npos));
  BOOST_TEST(enroll(code, Key::generate(), start_unix + life - 1).enrolled.has_value());
}

BOOST_AUTO_TEST_CASE(a_replaced_code_says_so_and_the_new_one_works) {
  const auto old = add("rpi1100");
  const auto fresh = enrolment.make_code("rdv.example.com:443", start_unix);
  BOOST_TEST((store->replace_code(name("rpi1100"), fresh.stored, start_unix) == StoreAnswer::done));
  const auto refused = refusal(enroll(old, Key::generate()));
  BOOST_TEST((refused.code == RefusalCode::code_expired));
  BOOST_TEST((refused.text.find("replaced by a newer one") != std::string::npos));
  BOOST_TEST(enroll(fresh.code, Key::generate()).enrolled.has_value());
}

BOOST_AUTO_TEST_CASE(a_foreign_code_is_not_known) {
  add("rpi1100");
  const auto foreign = enrolment.make_code("rdv.example.com:443", start_unix).code;
  const auto refused = refusal(enroll(foreign, Key::generate()));
  BOOST_TEST((refused.code == RefusalCode::code_unknown));
}

BOOST_AUTO_TEST_CASE(a_revoked_device_gets_no_certificate_by_an_open_code) {
  const auto code = add("rpi1100");
  store->revoke(name("rpi1100"), "stolen", start_unix);
  const auto refused = refusal(enroll(code, Key::generate()));
  BOOST_TEST((refused.code == RefusalCode::revoked));
  const auto fresh = enrolment.make_code("rdv.example.com:443", start_unix);
  BOOST_TEST(
      (store->replace_code(name("rpi1100"), fresh.stored, start_unix) == StoreAnswer::revoked));
}

BOOST_AUTO_TEST_CASE(a_removed_device_leaves_no_code_behind) {
  const auto code = add("rpi1100");
  BOOST_TEST((store->remove(name("rpi1100")) == StoreAnswer::done));
  BOOST_TEST((refusal(enroll(code, Key::generate())).code == RefusalCode::code_unknown));
}

BOOST_AUTO_TEST_CASE(a_bad_request_does_not_cost_the_code) {
  const auto code = add("rpi1100");
  const auto outcome = enrolment.enroll({.secret = code.secret,
                                         .csr = tunnel::to_bytes("not a request"),
                                         .hostname = {},
                                         .software = {}},
                                        "198.51.100.7", start_unix);
  BOOST_TEST((refusal(outcome).code == RefusalCode::bad_request));
  BOOST_TEST(enroll(code, Key::generate()).enrolled.has_value());
}

BOOST_AUTO_TEST_CASE(one_key_is_one_device) {
  const auto first = add("rpi1100");
  const auto second = add("rpi1200");
  const auto key = Key::generate();
  enroll(first, key);
  const auto refused = refusal(enroll(second, key));
  BOOST_TEST((refused.code == RefusalCode::bad_request));
  BOOST_TEST((refused.text.find("belongs to rpi1100 already") != std::string::npos));
  BOOST_TEST(enroll(second, Key::generate()).enrolled.has_value());
}

BOOST_AUTO_TEST_CASE(a_device_enrolled_anew_has_its_new_key) {
  enroll(add("rpi1100"), Key::generate());
  const auto fresh = enrolment.make_code("rdv.example.com:443", start_unix);
  store->replace_code(name("rpi1100"), fresh.stored, start_unix);
  const auto key = Key::generate();
  enroll(fresh.code, key);
  BOOST_TEST((store->find(name("rpi1100"))->key_hash == key.hash()));
}

BOOST_AUTO_TEST_CASE(a_renewal_keeps_the_key) {
  const auto key = Key::generate();
  enroll(add("rpi1100"), key);
  const auto record = store->find(name("rpi1100")).value();
  const auto later = start_unix + 60 * 24 * 3600;
  const auto renewal = enrolment.renew(record, crypto::make_csr(key), later);
  BOOST_TEST(renewal.refusal == "");
  const auto certificate = crypto::Certificate::from_pem(tunnel::as_text(renewal.certificate));
  BOOST_TEST(certificate.identity().value().uri() == "rdv:acme:onsite:rpi1100");
  BOOST_TEST(store->find(name("rpi1100"))->certificate_expires == certificate.not_after());
  const auto other = enrolment.renew(record, crypto::make_csr(Key::generate()), later);
  BOOST_TEST(other.certificate.empty());
  BOOST_TEST(!other.refusal.empty());
}

BOOST_AUTO_TEST_SUITE_END()
