#include "unit/wire/samples.hpp"

namespace tunnel::wire {
namespace {

GrantExpectation expected(Role role) {
  const auto grant = samples::grant();
  const bool master = role == Role::master;
  return {.role = role,
          .system = grant.system,
          .name = master ? grant.master.name : grant.onsite.name,
          .key_hash = master ? grant.master.key_hash : grant.onsite.key_hash,
          .nonce = master ? grant.master_nonce : grant.onsite_nonce,
          .session = master ? 0 : grant.session,
          .mode = grant.mode,
          .peer = master ? grant.onsite.name : grant.master.name,
          .own_networks = {samples::prefix("192.168.1.10/24"), samples::prefix("10.0.0.1/8")}};
}

/// What check_grant() says when the grant is changed, for both roles: the same, or the test fails.
template <class Change>
boost::system::error_code with_grant(Role role, Change change) {
  auto grant = samples::grant();
  change(grant);
  const auto result = check_grant(grant, expected(role));
  return result ? boost::system::error_code{} : result.error();
}
template <class Change>
boost::system::error_code with_expectation(Role role, Change change) {
  auto expectation = expected(role);
  change(expectation);
  const auto result = check_grant(samples::grant(), expectation);
  return result ? boost::system::error_code{} : result.error();
}

constexpr std::array roles{Role::master, Role::onsite};

}  // namespace

BOOST_AUTO_TEST_CASE(the_grant_we_asked_for_is_taken_by_both) {
  for (const auto role : roles)
    BOOST_TEST(check_grant(samples::grant(), expected(role)).has_value());
}

BOOST_AUTO_TEST_CASE(a_grant_for_somebody_else_is_refused) {
  for (const auto role : roles) {
    const auto own = [&](Grant& g) -> Party& { return role == Role::master ? g.master : g.onsite; };
    const auto peer = [&](Grant& g) -> Party& {
      return role == Role::master ? g.onsite : g.master;
    };
    const auto other = samples::name("other");
    BOOST_TEST((with_grant(role, [&](Grant& g) { own(g).name = other; }) == Errc::wrong_party));
    BOOST_TEST((with_grant(role, [&](Grant& g) { own(g).key_hash[0] ^= std::byte{1}; }) ==
                Errc::wrong_party));
    BOOST_TEST((with_grant(role, [&](Grant& g) { peer(g).name = other; }) == Errc::wrong_party));
    BOOST_TEST((with_grant(role, [&](Grant& g) { g.system = other; }) == Errc::wrong_party));
    BOOST_TEST((with_grant(role, [&](Grant& g) { peer(g).key_hash = own(g).key_hash; }) ==
                Errc::wrong_party));
    BOOST_TEST(
        (with_grant(role, [&](Grant& g) { std::swap(g.master, g.onsite); }) == Errc::wrong_party));
  }
}

BOOST_AUTO_TEST_CASE(a_grant_that_answers_another_request_is_refused) {
  BOOST_TEST((with_grant(Role::master, [](Grant& g) { g.master_nonce[31] ^= std::byte{1}; }) ==
              Errc::stale_nonce));
  BOOST_TEST((with_grant(Role::onsite, [](Grant& g) { g.onsite_nonce[31] ^= std::byte{1}; }) ==
              Errc::stale_nonce));
  for (const auto role : roles)
    BOOST_TEST((with_grant(role, [](Grant& g) { std::swap(g.master_nonce, g.onsite_nonce); }) ==
                Errc::stale_nonce));
  BOOST_TEST((with_grant(Role::onsite, [](Grant& g) { ++g.session; }) == Errc::stale_nonce));
  BOOST_TEST(
      (!with_grant(Role::master, [](Grant& g) { ++g.session; })));  // it learns the number here
  for (const auto role : roles)
    BOOST_TEST((with_grant(role, [](Grant& g) { g.mode = Mode::l2; }) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(a_tunnel_that_overlaps_a_network_of_ours_is_refused) {
  for (const auto role : roles) {
    for (const auto* text : {"192.168.128.8/30", "192.168.128.9/32", "192.168.128.200/24",
                             "192.168.0.0/16", "0.0.0.0/0"})
      BOOST_TEST((with_expectation(
                      role, [&](auto& e) { e.own_networks.push_back(samples::prefix(text)); }) ==
                  Errc::bad_value),
                 text);
    for (const auto* text : {"192.168.128.4/30", "192.168.128.12/30", "192.168.1.0/24"})
      BOOST_TEST(!with_expectation(
                     role, [&](auto& e) { e.own_networks.push_back(samples::prefix(text)); }),
                 text);
  }
}

BOOST_AUTO_TEST_CASE(a_session_goes_on_with_a_newer_grant_that_changes_nothing_in_a_kernel) {
  const auto before = samples::grant();
  const auto with = [&](auto change) {
    auto grant = before;
    grant.epoch = before.epoch + 1;
    change(grant);
    const auto result = check_resumed_grant(grant, before);
    return result ? boost::system::error_code{} : result.error();
  };
  BOOST_TEST(!with([](Grant&) {}));
  BOOST_TEST(!with([](Grant& g) {
    g.seconds = 1;
    g.server_time += 600;
    g.master_nonce = g.onsite_nonce = {};
    g.dns.clear();
  }));
  BOOST_CHECK(with([&](Grant& g) { g.epoch = before.epoch; }) == Errc::stale_nonce);
  BOOST_CHECK(with([](Grant& g) { g.session += 1; }) == Errc::wrong_party);
  BOOST_CHECK(with([](Grant& g) { g.master.key_hash[0] ^= std::byte{1}; }) == Errc::wrong_party);
  BOOST_CHECK(with([](Grant& g) { g.onsite.name = g.system; }) == Errc::wrong_party);
  BOOST_CHECK(with([](Grant& g) { g.tunnel.address.value ^= 4U; }) == Errc::bad_value);
  BOOST_CHECK(with([](Grant& g) { g.mode = g.mode == Mode::l3 ? Mode::l2 : Mode::l3; }) ==
              Errc::bad_value);
  BOOST_CHECK(with([](Grant& g) { g.allow.push_back({}); }) == Errc::bad_value);
}

}  // namespace tunnel::wire
