#include "net/conntrack.hpp"

#include "component/net/support.hpp"
#include "net/net_error.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

std::string entries() {
  return run("conntrack -L 2>/dev/null; true");
}

void add(const std::string& source, int port) {
  run("conntrack -I -p udp -s " + source + " -d 10.0.0.1 --sport " + std::to_string(port) +
      " --dport 53 --timeout 60 2>&1");
}

Ipv4Prefix prefix(const char* text) {
  return *Ipv4Prefix::parse(text);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conntrack)

BOOST_AUTO_TEST_CASE(forgets_what_hosts_of_the_prefix_began_and_nothing_else) {
  run("conntrack -F 2>&1");
  for (int port = 1000; port < 1010; ++port)
    add("192.168.38.226", port);
  add("192.168.38.230", 1);
  add("192.168.38.232", 2);
  run("conntrack -I -p tcp -s 10.0.0.9 -d 192.168.38.226 --sport 5 --dport 6 --timeout 60 --state "
      "ESTABLISHED 2>&1");
  BOOST_TEST(flush_conntrack(prefix("192.168.38.226")) == 10U);
  BOOST_TEST(flush_conntrack(prefix("192.168.38.225/29")) == 1U);
  BOOST_TEST(flush_conntrack(prefix("192.168.38.225/29")) == 0U);
  BOOST_TEST(contains(entries(), "src=192.168.38.232"));
  BOOST_TEST(contains(entries(), "src=10.0.0.9"));
  BOOST_TEST(flush_conntrack(prefix("0.0.0.0/0")) == 2U);
  BOOST_TEST(entries().empty());
}

BOOST_AUTO_TEST_CASE(knows_every_protocol_and_zone) {
  run("conntrack -F 2>&1");
  run("conntrack -I -p icmp -s 10.8.0.1 -d 10.0.0.1 --icmp-type 8 --icmp-code 0 --icmp-id 7 "
      "--timeout 60 2>&1");
  run("conntrack -I -p tcp -s 10.8.0.1 -d 10.0.0.1 --sport 5 --dport 6 --timeout 60 --state "
      "ESTABLISHED 2>&1");
  run("conntrack -I -p udp -s 10.8.0.1 -d 10.0.0.1 --sport 5 --dport 6 --timeout 60 --zone 3 2>&1");
  BOOST_TEST(flush_conntrack(prefix("10.8.0.0/16")) == 3U);
  BOOST_TEST(entries().empty());
}

BOOST_AUTO_TEST_CASE(an_unprivileged_user_with_net_admin_may) {
  add("192.168.38.226", 1000);
  run_unprivileged([] {
    if (flush_conntrack(prefix("192.168.38.226")) != 1) throw NetError{ENOENT, "test"};
  });
}

BOOST_AUTO_TEST_SUITE_END()
