#include "netd/session_setup.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using device::check_session;
using device::SessionRequest;
using device::SessionSetup;

SessionRequest onsite() {
  return {.role = "onsite", .tunnel = "192.168.200.4/30"};
}

/// What is wrong with the request; "" when nothing is.
std::string problem_of(const SessionRequest& request) {
  SessionSetup setup;
  std::string problem;
  return check_session(request, setup, problem) ? "" : problem;
}

BOOST_AUTO_TEST_SUITE(session_setup)

BOOST_AUTO_TEST_CASE(the_onsite_has_the_first_end_of_the_tunnel_and_the_master_the_second) {
  SessionSetup setup;
  std::string problem;
  BOOST_TEST(check_session(onsite(), setup, problem));
  BOOST_TEST(setup.onsite_end().str() == "192.168.200.5/30");
  BOOST_TEST(setup.master_end().str() == "192.168.200.6/30");
}

BOOST_AUTO_TEST_CASE(only_the_two_roles_open_sessions) {
  for (const char* role : {"", "none", "Master", "onsite "}) {
    auto request = onsite();
    request.role = role;
    BOOST_TEST(!problem_of(request).empty(), role);
  }
}

BOOST_AUTO_TEST_CASE(a_tunnel_is_a_unicast_slash_30) {
  for (const char* bad : {"", "192.168.200.4", "192.168.200.4/29", "192.168.200.5/30",
                          "127.0.0.4/30", "224.0.0.0/30", "0.0.0.0/30", "192.168.200.4/30x"}) {
    auto request = onsite();
    request.tunnel = bad;
    BOOST_TEST(!problem_of(request).empty(), bad);
  }
}

BOOST_AUTO_TEST_CASE(an_interface_must_be_the_name_of_a_link) {
  for (const char* bad :
       {"a b", "eth0\"; drop", "sixteen-letters-", "../eth0", ".", "..", "a\nb"}) {
    auto request = onsite();
    request.interface = bad;
    BOOST_TEST(!problem_of(request).empty(), bad);
  }
}

BOOST_AUTO_TEST_CASE(permits_are_prefixes_with_sensible_ports) {
  const auto with = [](const char* prefix, int protocol, int first, int last) {
    auto request = onsite();
    request.allow = {{prefix, static_cast<std::uint8_t>(protocol),
                      static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)}};
    return problem_of(request);
  };
  BOOST_TEST(with("192.168.1.0/24", 0, 0, 0).empty());
  BOOST_TEST(with("192.168.1.50", 6, 80, 80).empty());
  BOOST_TEST(with("192.168.1.50", 17, 1, 65535).empty());
  BOOST_TEST(with("192.168.1.50", 1, 0, 0).empty());
  BOOST_TEST(!with("192.168.1.0/33", 0, 0, 0).empty());
  BOOST_TEST(!with("camera", 0, 0, 0).empty());
  BOOST_TEST(!with("192.168.1.50", 6, 81, 80).empty());
  BOOST_TEST(!with("192.168.1.50", 6, 0, 80).empty());
  BOOST_TEST(!with("192.168.1.50", 1, 80, 80).empty());
  BOOST_TEST(!with("192.168.1.50", 0, 80, 80).empty());
}

BOOST_AUTO_TEST_CASE(every_list_has_its_limit) {
  auto request = onsite();
  request.allow.assign(device::allow_max, {"10.0.0.0/8", 0, 0, 0});
  request.deny.assign(device::deny_max, "10.0.0.0/8");
  request.dns.assign(device::dns_max, "10.0.0.1");
  BOOST_TEST(problem_of(request).empty());
  auto more = request;
  more.allow.push_back({"10.0.0.0/8", 0, 0, 0});
  BOOST_TEST(!problem_of(more).empty());
  more = request;
  more.deny.push_back("10.0.0.0/8");
  BOOST_TEST(!problem_of(more).empty());
  more = request;
  more.dns.push_back("10.0.0.1");
  BOOST_TEST(!problem_of(more).empty());
}

BOOST_AUTO_TEST_CASE(a_dns_server_of_ipv6_is_passed_over_and_a_name_is_an_error) {
  auto request = onsite();
  request.dns = {"2001:db8::53", "192.168.1.53"};
  SessionSetup setup;
  std::string problem;
  BOOST_TEST(check_session(request, setup, problem));
  BOOST_TEST(setup.dns.size() == 1);
  request.dns = {"dns.example.com"};
  BOOST_TEST(!problem_of(request).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
