#include "broker_fixture.hpp"
#include "sqlite_store.hpp"

using namespace rdv;
using namespace rdv::test;

namespace {

NewDevice device(std::string_view text, wire::Role role = wire::Role::onsite,
                 std::string_view system = "default") {
  return {.name = name(text), .system = name(system), .role = role, .site = "", .allow = {}};
}

NewCode code(int number) {
  wire::Hash hash{};
  hash[0] = static_cast<std::byte>(number);
  return {.secret_hash = hash, .expires = start_unix + 86'400};
}

struct StoreFixture {
  std::unique_ptr<Store> store = open_sqlite_store(in_memory, true);
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(store, StoreFixture)

BOOST_AUTO_TEST_CASE(what_was_added_is_found_as_it_was) {
  NewDevice added = device("rpi1100");
  added.site = "Royal Champagne, boiler room";
  added.allow = {prefix("10.1.0.0/16"), prefix("172.16.5.0/24")};
  BOOST_TEST((store->add(added, code(1), start_unix, 10) == StoreAnswer::done));
  const auto record = store->find(name("rpi1100")).value();
  BOOST_TEST(record.site == "Royal Champagne, boiler room");
  BOOST_TEST((record.allow == added.allow));
  BOOST_TEST((record.state == DeviceState::registered));
  BOOST_TEST(record.created_at == start_unix);
  BOOST_TEST(record.code_expires == start_unix + 86'400);
  BOOST_TEST(!record.key_hash);
  BOOST_TEST(!store->find(name("rpi1200")));
}

BOOST_AUTO_TEST_CASE(a_name_is_taken_over_all_systems) {
  store->add(device("rpi1100"), code(1), start_unix, 10);
  BOOST_TEST((store->add(device("rpi1100", wire::Role::onsite, "acme"), code(2), start_unix, 10) ==
              StoreAnswer::exists));
}

BOOST_AUTO_TEST_CASE(the_limit_of_devices_holds) {
  store->add(device("rpi1100"), code(1), start_unix, 1);
  BOOST_TEST((store->add(device("rpi1200"), code(2), start_unix, 1) == StoreAnswer::full));
}

BOOST_AUTO_TEST_CASE(onsites_are_those_of_the_system_that_are_not_revoked) {
  store->add(device("b"), code(1), start_unix, 10);
  store->add(device("a"), code(2), start_unix, 10);
  store->add(device("m", wire::Role::master), code(3), start_unix, 10);
  store->add(device("c", wire::Role::onsite, "acme"), code(4), start_unix, 10);
  store->add(device("d"), code(5), start_unix, 10);
  store->revoke(name("d"), "", start_unix);
  const auto onsites = store->onsites_of(name("default"));
  BOOST_REQUIRE_EQUAL(onsites.size(), 2U);
  BOOST_TEST(onsites[0].name.str() == "a");
  BOOST_TEST(onsites[1].name.str() == "b");
  BOOST_TEST(store->devices().size() == 5U);
}

BOOST_AUTO_TEST_CASE(a_device_is_revoked_once_and_says_why) {
  store->add(device("rpi1100"), code(1), start_unix, 10);
  BOOST_TEST((store->revoke(name("rpi1100"), "stolen", start_unix + 5) == StoreAnswer::done));
  BOOST_TEST((store->revoke(name("rpi1100"), "again", start_unix + 9) == StoreAnswer::revoked));
  BOOST_TEST((store->revoke(name("nobody"), "", start_unix) == StoreAnswer::unknown));
  const auto record = store->find(name("rpi1100")).value();
  BOOST_TEST(record.revoked_reason == "stolen");
  BOOST_TEST(record.revoked_at == start_unix + 5);
}

BOOST_AUTO_TEST_CASE(when_a_device_was_seen_is_known_before_and_after_it_is_written) {
  store->add(device("rpi1100"), code(1), start_unix, 10);
  store->note_seen(name("rpi1100"), start_unix + 7);
  BOOST_TEST(store->find(name("rpi1100"))->last_seen == start_unix + 7);
  store->write_pending();
  BOOST_TEST(store->devices().front().last_seen == start_unix + 7);
}

BOOST_AUTO_TEST_CASE(of_many_codes_of_a_device_the_last_sixteen_are_kept) {
  store->add(device("rpi1100"), code(1), start_unix, 10);
  for (int i = 2; i <= 40; ++i)
    store->replace_code(name("rpi1100"), code(i), start_unix + i);
  const auto refuse = [](const DeviceRecord&) -> IssuedCertificate { throw std::exception{}; };
  const auto unknown = store->enrol(code(24).secret_hash, start_unix, refuse);
  BOOST_TEST(std::holds_alternative<CodeUnknown>(unknown));
  const auto replaced = store->enrol(code(25).secret_hash, start_unix, refuse);
  BOOST_TEST(std::get<CodeExpired>(replaced).replaced);
}

BOOST_AUTO_TEST_CASE(a_session_is_kept_as_it_was_until_it_is_dropped) {
  const KeptSession session{.grant = {.session = 0xfedcba9876543210U,
                                      .epoch = 3,
                                      .master = {name("rpi2001"), {std::byte{1}}},
                                      .onsite = {name("rpi1100"), {std::byte{2}}},
                                      .system = name("default"),
                                      .allow = {{prefix("192.168.1.0/24")}},
                                      .seconds = 100,
                                      .master_nonce = {std::byte{3}},
                                      .onsite_nonce = {std::byte{4}},
                                      .server_time = start_unix,
                                      .tunnel = prefix("192.168.128.4/30"),
                                      .dns = {address("192.168.1.1")},
                                      .deny = {}},
                            .seconds = 3600,
                            .since = start_unix,
                            .expires = start_unix + 3600};
  auto later = session;
  later.grant.epoch = 4;
  store->keep(session);
  store->keep(later);
  const auto kept = store->kept_sessions();
  BOOST_REQUIRE_EQUAL(kept.size(), 1U);
  BOOST_TEST((encode_grant(kept[0].grant) == encode_grant(later.grant)));
  BOOST_TEST(kept[0].seconds == 3600U);
  BOOST_TEST(kept[0].since == start_unix);
  BOOST_TEST(kept[0].expires == start_unix + 3600);
  store->drop(1);  // one that was never kept
  BOOST_TEST(store->kept_sessions().size() == 1U);
  store->drop(session.grant.session);
  BOOST_TEST(store->kept_sessions().empty());
}

BOOST_AUTO_TEST_CASE(a_certificate_that_cannot_be_issued_leaves_the_code_unused) {
  store->add(device("rpi1100"), code(1), start_unix, 10);
  const auto fail = [](const DeviceRecord&) -> IssuedCertificate {
    throw std::runtime_error{"no key"};
  };
  BOOST_CHECK_THROW(store->enrol(code(1).secret_hash, start_unix, fail), std::runtime_error);
  const auto issue = [](const DeviceRecord&) { return IssuedCertificate{"pem", {}, 1}; };
  const auto outcome = store->enrol(code(1).secret_hash, start_unix, issue);
  BOOST_TEST(std::holds_alternative<CodeAccepted>(outcome));
}

BOOST_AUTO_TEST_SUITE_END()
