#include "unit/wire/samples.hpp"

namespace tunnel::wire {
namespace {

namespace pb = ::rdv::pb;

/// What decode_grant() says when one thing of the sample is changed.
template <class Change>
boost::system::error_code changed(Change change) {
  const auto bytes = encode_grant(samples::grant());
  pb::Grant form;
  BOOST_REQUIRE(form.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  change(form);
  const auto decoded = decode_grant(samples::payload(form));
  return decoded ? boost::system::error_code{} : decoded.error();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_grant_comes_back_as_it_went) {
  const auto grant = samples::grant();
  const auto bytes = encode_grant(grant);
  const auto decoded = decode_grant(bytes);
  BOOST_REQUIRE(decoded);
  BOOST_TEST((encode_grant(*decoded) == bytes));
  BOOST_TEST((decoded->session == grant.session && decoded->epoch == grant.epoch &&
              decoded->master == grant.master));
  BOOST_TEST((decoded->onsite == grant.onsite && decoded->system == grant.system &&
              decoded->allow == grant.allow));
  BOOST_TEST(
      (decoded->master_nonce == grant.master_nonce && decoded->onsite_nonce == grant.onsite_nonce));
  BOOST_TEST((decoded->tunnel == grant.tunnel && decoded->dns == grant.dns &&
              decoded->deny == grant.deny));
  BOOST_TEST((decoded->seconds == grant.seconds && decoded->features == grant.features));
  BOOST_TEST((decoded->server_time == grant.server_time && decoded->mode == grant.mode));
}

BOOST_AUTO_TEST_CASE(a_grant_of_l2_says_nothing_of_addresses) {
  auto grant = samples::grant();
  grant.mode = Mode::l2;
  BOOST_TEST((decode_grant(encode_grant(grant)).error() == Errc::bad_value));
  grant.allow.clear();
  grant.dns.clear();
  grant.deny.clear();
  const auto bytes = encode_grant(grant);
  const auto decoded = decode_grant(bytes);
  BOOST_REQUIRE(decoded);
  BOOST_TEST((decoded->mode == Mode::l2 && decoded->tunnel == Ipv4Prefix{}));
  BOOST_TEST((encode_grant(*decoded) == bytes));
  BOOST_TEST((changed([](auto& g) { g.set_mode(2); }) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(a_grant_of_another_version_is_refused) {
  for (const std::uint32_t version : {0U, 2U, 0xffffffffU})
    BOOST_TEST((changed([=](auto& g) { g.set_version(version); }) == Errc::unsupported_version));
}

BOOST_AUTO_TEST_CASE(a_grant_lacking_anything_is_refused) {
  BOOST_TEST((changed([](auto& g) { g.set_session(0); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.set_epoch(0); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.set_seconds(0); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.clear_master(); }) == Errc::bad_name));
  BOOST_TEST((changed([](auto& g) { g.clear_onsite(); }) == Errc::bad_name));
  BOOST_TEST((changed([](auto& g) { g.clear_system(); }) == Errc::bad_name));
  BOOST_TEST((changed([](auto& g) { g.clear_mode(); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.clear_master_nonce(); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.clear_onsite_nonce(); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.clear_tunnel(); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.mutable_master()->clear_key_hash(); }) == Errc::bad_value));
  BOOST_TEST((decode_grant({}).error() == Errc::unsupported_version));
}

BOOST_AUTO_TEST_CASE(the_limits_of_a_grant_hold) {
  BOOST_TEST((changed([](auto& g) { g.set_seconds(session_seconds_max + 1); }) == Errc::bad_value));
  BOOST_TEST((changed([](auto& g) { g.mutable_master()->set_name("A"); }) == Errc::bad_name));
  BOOST_TEST((changed([](auto& g) { g.mutable_onsite()->set_key_hash(std::string(33, 'h')); }) ==
              Errc::bad_value));
  const auto allow = [](std::size_t n) {
    return [n](pb::Grant& g) {
      while (static_cast<std::size_t>(g.allow_size()) < n)
        g.add_allow();
    };
  };
  BOOST_TEST(!changed(allow(allow_rules_max)));
  BOOST_TEST((changed(allow(allow_rules_max + 1)) == Errc::bad_value));
  const auto dns = [](std::size_t n) {
    return [n](pb::Grant& g) {
      while (static_cast<std::size_t>(g.dns_size()) < n)
        g.add_dns(1);
    };
  };
  BOOST_TEST(!changed(dns(dns_servers_max)));
  BOOST_TEST((changed(dns(dns_servers_max + 1)) == Errc::bad_value));
  const auto deny = [](std::size_t n) {
    return [n](pb::Grant& g) {
      while (static_cast<std::size_t>(g.deny_size()) < n)
        g.add_deny(1);
    };
  };
  BOOST_TEST(!changed(deny(allow_rules_max)));
  BOOST_TEST((changed(deny(allow_rules_max + 1)) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(what_may_be_reached_is_well_formed) {
  const auto rule = [](auto change) {
    return changed([&](pb::Grant& g) { change(*g.mutable_allow(1)); });
  };
  BOOST_TEST(!rule([](auto& a) { a.set_protocol(255); }));
  BOOST_TEST((rule([](auto& a) { a.set_protocol(256); }) == Errc::bad_value));
  BOOST_TEST((rule([](auto& a) { a.set_port_last(65536); }) == Errc::bad_value));
  BOOST_TEST((rule([](auto& a) { a.set_port_first(81), a.set_port_last(80); }) == Errc::bad_value));
  BOOST_TEST(
      (rule([](auto& a) { a.set_port_first(65536), a.set_port_last(65536); }) == Errc::bad_value));
  BOOST_TEST((rule([](auto& a) { a.mutable_prefix()->set_length(33); }) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(a_tunnel_is_a_30_of_the_pool) {
  const auto tunnel = [](const char* text) {
    return changed([&](pb::Grant& g) {
      g.mutable_tunnel()->set_address(samples::prefix(text).address.value);
      g.mutable_tunnel()->set_length(samples::prefix(text).length);
    });
  };
  for (const auto* text : {"192.168.128.0/30", "192.168.255.252/30", "192.168.200.4/30"})
    BOOST_TEST(!tunnel(text), text);
  for (const auto* text :
       {"192.168.127.252/30", "192.169.0.0/30", "192.168.128.1/30", "192.168.128.0/29",
        "192.168.128.0/31", "192.168.128.0/32", "192.168.128.0/17", "0.0.0.0/0", "127.0.0.0/30"})
    BOOST_TEST((tunnel(text) == Errc::bad_value), text);
}

BOOST_AUTO_TEST_CASE(the_onsite_has_the_first_address_of_the_tunnel_and_the_master_the_second) {
  auto grant = samples::grant();
  grant.tunnel = samples::prefix("192.168.128.8/30");
  BOOST_TEST(tunnel_address(grant, Role::onsite).str() == "192.168.128.9/30");
  BOOST_TEST(tunnel_address(grant, Role::master).str() == "192.168.128.10/30");
}

BOOST_AUTO_TEST_CASE(no_other_signature_of_the_grant_key_can_begin_like_a_grants) {
  BOOST_TEST(grant_signature_context.size() == 12U);
  BOOST_TEST(grant_signature_context.back() == '\0');
}

}  // namespace tunnel::wire
