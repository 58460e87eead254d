#include "policy.hpp"

#include "broker_fixture.hpp"

using namespace rdv;
using namespace rdv::test;
using wire::Mode;
using wire::RefusalCode;
using wire::Role;

namespace {

DeviceRecord device(std::string_view text, Role role, std::string_view system = "default",
                    DeviceState state = DeviceState::enrolled) {
  return {.name = name(text),
          .system = name(system),
          .role = role,
          .site = {},
          .state = state,
          .key_hash = std::nullopt,
          .revoked_reason = {},
          .allow = {}};
}

const auto master = device("rpi2001", Role::master);

Verdict open(const std::optional<DeviceRecord>& onsite, Mode mode = Mode::l3) {
  return may_open(master, name("rpi1100"), onsite, mode);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(policy)

BOOST_AUTO_TEST_CASE(a_master_opens_an_enrolled_onsite_of_its_system) {
  const auto verdict = open(device("rpi1100", Role::onsite));
  BOOST_TEST(verdict.allowed());
  BOOST_TEST(verdict.rule == "same-system");
}

BOOST_AUTO_TEST_CASE(every_refusal_names_its_rule) {
  const auto check = [](const Verdict& verdict, RefusalCode code, std::string_view rule) {
    BOOST_TEST(!verdict.allowed());
    BOOST_TEST((verdict.refusal == code));
    BOOST_TEST(verdict.rule == rule);
    BOOST_TEST(!verdict.text.empty());
  };
  check(open(std::nullopt), RefusalCode::unknown_device, "same-system");
  check(open(device("rpi1100", Role::onsite, "acme")), RefusalCode::unknown_device, "same-system");
  check(open(device("rpi1100", Role::master)), RefusalCode::wrong_role, "onsite-only");
  check(open(device("rpi1100", Role::onsite, "default", DeviceState::registered)),
        RefusalCode::not_allowed, "enrolled");
  check(open(device("rpi1100", Role::onsite, "default", DeviceState::revoked)),
        RefusalCode::revoked, "not-revoked");
  check(open(device("rpi1100", Role::onsite), Mode::l2), RefusalCode::not_allowed, "l2");
  const auto onsite = device("rpi1200", Role::onsite);
  check(may_open(onsite, name("rpi1100"), device("rpi1100", Role::onsite), Mode::l3),
        RefusalCode::wrong_role, "only-masters-open");
  check(may_list(onsite), RefusalCode::wrong_role, "only-masters-look");
}

BOOST_AUTO_TEST_CASE(a_whole_lan_is_joined_where_that_is_permitted) {
  auto onsite = device("rpi1100", Role::onsite);
  BOOST_TEST(open(onsite, Mode::l2).text.find("rdvctl device l2 rpi1100 on") != std::string::npos);
  onsite.allows_l2 = true;
  BOOST_TEST(open(onsite, Mode::l2).allowed());
  BOOST_TEST(open(onsite, Mode::l2).rule == "l2");
  BOOST_TEST(open(onsite).rule == "same-system");
  onsite.state = DeviceState::revoked;
  BOOST_TEST(!open(onsite, Mode::l2).allowed());
}

BOOST_AUTO_TEST_CASE(a_device_of_another_system_is_answered_as_if_there_were_none) {
  BOOST_TEST(open(std::nullopt).text == open(device("rpi1100", Role::onsite, "acme")).text);
}

BOOST_AUTO_TEST_CASE(a_session_is_never_longer_than_allowed_and_never_0) {
  BOOST_TEST(session_seconds(0, 100, 1000) == 100U);
  BOOST_TEST(session_seconds(0, 5000, 1000) == 1000U);
  BOOST_TEST(session_seconds(7, 100, 1000) == 7U);
  BOOST_TEST(session_seconds(0xffffffffU, 100, 1000) == 1000U);
  BOOST_TEST(session_seconds(0, 0, 0) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
