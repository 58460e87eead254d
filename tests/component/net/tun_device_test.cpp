#include "net/tun_device.hpp"

#include "component/net/support.hpp"
#include "net/link.hpp"
#include "net/net_error.hpp"
#include "net/sysctl.hpp"

#include <boost/test/unit_test.hpp>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

BOOST_AUTO_TEST_SUITE(tun_device)

BOOST_AUTO_TEST_CASE(a_device_is_there_and_then_gone) {
  Netlink netlink;
  const auto before = snapshot();
  {
    const TunDevice first{netlink};
    const TunDevice second{netlink};
    BOOST_TEST(first.name() == "rdv0");
    BOOST_TEST(second.name() == "rdv1");
    BOOST_TEST(first.index() == netlink.find_link("rdv0")->index);
    const auto text = run("ip -d link show rdv0");
    BOOST_TEST(contains(text, "tun type tun pi off vnet_hdr on persist off"));
    BOOST_TEST(contains(text, "mtu 1500"));
    BOOST_TEST(contains(text, "alias rdv-netd session"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(it_has_the_header_it_promises_and_does_not_block) {
  Netlink netlink;
  const TunDevice device{netlink};
  int bytes = 0;
  int little_endian = 0;
  BOOST_TEST(::ioctl(device.fd(), TUNGETVNETHDRSZ, &bytes) == 0);
  BOOST_TEST(::ioctl(device.fd(), TUNGETVNETLE, &little_endian) == 0);
  BOOST_TEST(bytes == 10);
  BOOST_TEST(little_endian == 1);
  const Link link{netlink, {.name = device.name()}};
  std::array<char, 2048> packet{};
  BOOST_TEST(::read(device.fd(), packet.data(), packet.size()) == -1);
  BOOST_TEST(errno == EAGAIN);
}

BOOST_AUTO_TEST_CASE(no_ipv6_is_spoken_into_the_tunnel) {
  const Sysctl ipv6_for_all{{.key = "ipv6/conf/default/disable_ipv6", .value = "0"}};
  Netlink netlink;
  const TunDevice device{netlink};
  const Link link{netlink, {.name = device.name()}};
  BOOST_TEST(run("ip -6 addr show dev rdv0").empty());
}

BOOST_AUTO_TEST_CASE(it_is_deleted_while_somebody_still_holds_a_descriptor) {
  Netlink netlink;
  const auto before = snapshot();
  UniqueFd lent;
  {
    const TunDevice device{netlink};
    lent = device.duplicate();
    BOOST_TEST((::fcntl(lent.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  BOOST_TEST(changes_since(before) == "");
  pollfd waiting{.fd = lent.get(), .events = POLLIN, .revents = 0};
  BOOST_TEST(::poll(&waiting, 1, std::chrono::milliseconds{patience}.count()) == 1);
  BOOST_TEST((waiting.revents & POLLERR) != 0);
  char byte = 0;
  BOOST_TEST(::read(lent.get(), &byte, 1) == -1);
  BOOST_TEST(errno == EBADFD);
}

BOOST_AUTO_TEST_CASE(it_may_have_been_deleted_by_somebody_else) {
  Netlink netlink;
  const auto before = snapshot();
  {
    const TunDevice device{netlink};
    run("ip link del rdv0");
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_taken_is_refused) {
  Netlink netlink;
  const TunDevice device{netlink};
  const auto before = snapshot();
  BOOST_TEST(refusal([&] {
               TunDevice{netlink, {.name = "rdv0"}};
             }) == "create TUN device rdv0: Device or resource busy");
  BOOST_TEST(refusal([&] {
               TunDevice{netlink, {.name = ""}};
             }) == "create TUN device : Invalid argument");
  BOOST_TEST(refusal([&] {
               TunDevice{netlink, {.name = "rdv%d", .mtu_bytes = 1}};
             }).starts_with("configure TUN device rdv1"));
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_SUITE_END()
