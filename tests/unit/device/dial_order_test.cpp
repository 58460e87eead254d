#define BOOST_TEST_MODULE dial_order
#include "dial/order.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/test/unit_test.hpp>

#include <map>

using namespace device;
using namespace std::chrono_literals;
using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

namespace {

const Clock::time_point t0{1h};

Endpoints endpoints(const std::vector<std::string>& addresses) {
  Endpoints made;
  for (const auto& address : addresses)
    made.emplace_back(boost::asio::ip::make_address(address), 443);
  return made;
}

std::vector<std::string> names(const std::vector<HostPort>& servers) {
  std::vector<std::string> made;
  for (const auto& server : servers)
    made.push_back(server.str());
  return made;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_is_a_host_and_a_port_or_a_host) {
  BOOST_TEST(HostPort::parse("rdv.example.com")->str() == "rdv.example.com:443");
  BOOST_TEST(HostPort::parse("[2001:db8::1]:8443")->str() == "[2001:db8::1]:8443");
  BOOST_TEST(HostPort::parse("[2001:db8::1]")->is_address());
  BOOST_TEST(!HostPort::parse("rdv:443")->is_address());
  for (const auto* wrong : {"", ":443", "a:", "a:b", "a:70000", "[::1", "[::1]443", "2001:db8::1"})
    BOOST_TEST(!HostPort::parse(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(several_servers_stand_with_commas_between_them) {
  const auto servers = parse_servers("a:443, b:8443,[::1]:1");
  BOOST_REQUIRE(servers);
  const std::vector<std::string> wanted{"a:443", "b:8443", "[::1]:1"};
  BOOST_TEST(names(*servers) == wanted, boost::test_tools::per_element());
  BOOST_TEST(!parse_servers(""));
  BOOST_TEST(!parse_servers("a:443,,b:443"));
}

BOOST_AUTO_TEST_CASE(families_take_turns_beginning_with_the_resolvers_first) {
  BOOST_TEST((interleave(endpoints({"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"})) ==
              endpoints({"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"})));
  BOOST_TEST((interleave(endpoints({"192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"})) ==
              endpoints({"192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"})));
  BOOST_TEST(interleave(Endpoints{}).empty());
}

BOOST_AUTO_TEST_CASE(a_lower_priority_number_goes_first) {
  const auto order = srv_order({{20, 0, 443, "late"}, {10, 0, 8443, "early"}}, [] { return 0U; });
  const std::vector<std::string> wanted{"early:8443", "late:443"};
  BOOST_TEST(names(order) == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(equal_priorities_are_drawn_in_proportion_to_their_weights) {
  std::map<std::string, int> first;
  for (std::uint64_t random = 0; random < 1010; ++random)
    ++first[srv_order({{1, 75, 443, "big"}, {1, 25, 443, "small"}, {1, 0, 443, "spare"}},
                      [&] { return random; })
                .front()
                .host];
  BOOST_TEST((first["big"] > 700 && first["big"] < 800));
  BOOST_TEST((first["small"] > 200 && first["small"] < 300));
  BOOST_TEST((first["spare"] > 0 && first["spare"] < 30));
}

BOOST_AUTO_TEST_CASE(a_service_that_is_not_there_has_no_server) {
  BOOST_TEST(srv_order({{0, 0, 443, ""}}, [] { return 0U; }).empty());
  BOOST_TEST(srv_order({}, [] { return 0U; }).empty());
}

BOOST_AUTO_TEST_CASE(a_server_that_failed_goes_behind_the_others_for_a_while) {
  const std::vector<HostPort> listed{{"a"}, {"b"}, {"c"}};
  ServerMemory memory;
  memory.on_failed(listed[0], t0);
  memory.on_failed(listed[1], t0 + 1s);
  const std::vector<std::string> behind{"c:443", "a:443", "b:443"};
  BOOST_TEST(names(memory.order(listed, t0 + 2s)) == behind, boost::test_tools::per_element());
  const std::vector<std::string> as_listed{"a:443", "c:443", "b:443"};
  BOOST_TEST(names(memory.order(listed, t0 + ServerMemory::avoid_for)) == as_listed,
             boost::test_tools::per_element());
  memory.on_good(listed[0]);
  BOOST_TEST(names(memory.order(listed, t0 + 2s)).front() == "a:443");
}

BOOST_AUTO_TEST_CASE(the_memory_of_failures_is_bounded) {
  ServerMemory memory;
  for (std::size_t i = 0; i <= ServerMemory::servers_max; ++i)
    memory.on_failed({"s" + std::to_string(i)}, t0 + std::chrono::seconds{i});
  const auto order = memory.order({{"s0"}, {"s1"}, {"good"}}, t0 + 65s);
  const std::vector<std::string> wanted{"s0:443", "good:443", "s1:443"};
  BOOST_TEST(names(order) == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_dead_server_takes_only_its_share_of_the_time) {
  BOOST_TEST((server_share(10s, 0) == 10s));
  BOOST_TEST((server_share(10s, 1) == 3s));
  BOOST_TEST((server_share(10s, 4) == 2s));
  BOOST_TEST((server_share(2s, 1) == 1s));
  BOOST_TEST((lookup_share(10s) == 8s));
  BOOST_TEST((lookup_share(2s) == 1s));
}
