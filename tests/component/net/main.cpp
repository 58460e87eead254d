// Needs root: every test runs in a network namespace that this process makes for itself.
#define BOOST_TEST_MODULE net_component
#include "component/net/support.hpp"

#include <boost/test/unit_test.hpp>

#include <sched.h>

namespace {

struct OwnNamespace {
  OwnNamespace() {
    BOOST_REQUIRE_MESSAGE(::unshare(CLONE_NEWNET) == 0,
                          "cannot make a network namespace: not root?");
    // IPv6 adds routes to a link some time after it has its carrier; nothing here is about IPv6.
    tunnel::net::test::run(
        "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OwnNamespace);
