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
    tunnel::net::test::run("ip link set lo up");
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OwnNamespace);
