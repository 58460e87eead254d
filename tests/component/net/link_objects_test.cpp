#include "component/net/support.hpp"
#include "net/address.hpp"
#include "net/link.hpp"
#include "net/link_off.hpp"
#include "net/net_error.hpp"
#include "net/route.hpp"

#include <boost/test/unit_test.hpp>
#include <linux/capability.h>
#include <sys/syscall.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <unistd.h>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

Ipv4Prefix prefix(const char* text) {
  return *Ipv4Prefix::parse(text);
}

struct OnePort {
  VethPair veth{"usb0", "usb1"};
  Netlink netlink;
};

/// The kernel refuses every change while this object lives.
class WithoutNetAdmin {
 public:
  WithoutNetAdmin() {
    BOOST_REQUIRE(::syscall(SYS_capget, &head_, before_) == 0);
    __user_cap_data_struct less[2] = {before_[0], before_[1]};
    less[0].effective &= ~(1U << CAP_NET_ADMIN);
    BOOST_REQUIRE(::syscall(SYS_capset, &head_, less) == 0);
  }
  ~WithoutNetAdmin() { ::syscall(SYS_capset, &head_, before_); }
  WithoutNetAdmin(WithoutNetAdmin&&) = delete;

 private:
  __user_cap_header_struct head_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[2] = {};
};

struct PortAndNote : OnePort {
  std::string note = run("mktemp -d | tr -d '\\n'") + "/off";
  ~PortAndNote() { std::filesystem::remove_all(std::filesystem::path{note}.parent_path()); }
  bool noted() const { return std::filesystem::exists(note); }
  bool is_up() { return netlink.find_link("usb0")->up; }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(link_objects, OnePort)

BOOST_AUTO_TEST_CASE(a_link_is_switched_on_and_off_again) {
  run("ip link set usb0 down");
  const auto before = snapshot();
  {
    const Link link{netlink, {.name = "usb0", .mtu_bytes = 1400}};
    BOOST_TEST(contains(run("ip link show usb0"), "UP"));
    BOOST_TEST(contains(run("ip link show usb0"), "mtu 1400"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_link_that_was_on_stays_on) {
  const auto before = snapshot();
  { const Link link{netlink, {.name = "usb0"}}; }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_refused_link_is_as_before) {
  run("ip link set usb0 down");
  const auto before = snapshot();
  BOOST_TEST(
      contains(refusal([&] {
                 Link{netlink, {.name = "usb0", .mtu_bytes = 10}};
               }),
               "switch on link usb0 with MTU 10 (mtu less than device minimum): Invalid argument"));
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(refusal([&] {
               Link{netlink, {.name = "usb7"}};
             }) == "switch on link usb7: No such device");
}

BOOST_AUTO_TEST_CASE(an_address_is_there_and_then_gone) {
  const auto before = snapshot();
  {
    const Address address{netlink, {.link = "usb0", .address = prefix("192.168.38.225/29")}};
    BOOST_TEST(contains(run("ip addr show usb0"),
                        "inet 192.168.38.225/29 brd 192.168.38.231 scope global usb0"));
    BOOST_TEST(contains(run("ip route"), "192.168.38.224/29 dev usb0"));
    BOOST_TEST(refusal([&] {
                 Address{netlink, {.link = "usb0", .address = prefix("192.168.38.225/29")}};
               }).starts_with("add address 192.168.38.225/29 on usb0"));
    BOOST_TEST(contains(run("ip addr show usb0"), "192.168.38.225/29"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_route_is_there_and_then_gone) {
  const auto before = snapshot();
  {
    const Address address{netlink, {.link = "usb0", .address = prefix("10.0.0.1/24")}};
    const Route guard{
        netlink, {.table = 1, .type = Route::Type::unreachable, .metric = Route::guard_metric}};
    const Route out{netlink, {.table = 1, .link = "usb0"}};
    const Route via{netlink,
                    {.destination = prefix("10.7.0.0/16"),
                     .table = 1000,
                     .link = "usb0",
                     .gateway = *Ipv4Address::parse("10.0.0.2")}};
    const auto table = run("ip -d route show table 1");
    BOOST_TEST(contains(table, "unicast default dev usb0 proto 200 scope link"));
    BOOST_TEST(contains(table, "unreachable default proto 200 scope global metric 4278198272"));
    BOOST_TEST(
        contains(run("ip route show table 1000"), "10.7.0.0/16 via 10.0.0.2 dev usb0 proto 200"));
    BOOST_TEST(refusal([&] {
                 Route{netlink, {.table = 1, .link = "usb0"}};
               }) == "add route default dev usb0 table 1: File exists");
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_FIXTURE_TEST_CASE(a_link_that_is_off_is_on_again_afterwards_with_the_routes_of_its_addresses,
                        PortAndNote) {
  run("ip addr add 10.8.0.1/24 dev usb0");
  {
    const LinkOff off{netlink, "usb0", note};
    BOOST_TEST(!is_up());
    BOOST_TEST(!netlink.find_link("usb1")->carrier);
    BOOST_TEST(contains(run("ip addr show dev usb0"), "10.8.0.1/24"));
    BOOST_TEST(noted());
  }
  BOOST_TEST(netlink.find_link("usb1")->carrier);
  BOOST_TEST(contains(run("ip route"), "10.8.0.0/24 dev usb0"));
  BOOST_TEST(!noted());
  BOOST_TEST(refusal([&] {
               LinkOff{netlink, "usb7", note};
             }) == "switch off link usb7: No such device");
  BOOST_TEST(!noted());
  BOOST_TEST(refusal([&] {
               LinkOff{netlink, "usb0", note + "/of/no/folder"};
             }) == "note that link usb0 is off: No such file or directory");
  BOOST_TEST(is_up());
}

BOOST_FIXTURE_TEST_CASE(a_link_that_the_kernel_leaves_off_is_tried_again, PortAndNote) {
  {
    LinkOff off{netlink, "usb0", note};
    {
      const WithoutNetAdmin refused;
      BOOST_TEST(refusal([&] { off.end(); }) == "switch on link usb0: Operation not permitted");
      BOOST_TEST(noted());
    }
    off.end();
    BOOST_TEST(is_up());
    BOOST_TEST(!noted());
    run("ip link set usb0 down");  // by somebody else, afterwards
  }
  BOOST_TEST(!is_up());
  {
    const WithoutNetAdmin refused;
    BOOST_TEST(refusal([&] {
                 LinkOff{netlink, "usb0", note};
               }) == "switch off link usb0: Operation not permitted");
  }
  BOOST_TEST(!noted());
}

BOOST_FIXTURE_TEST_CASE(a_link_that_was_off_at_a_sigkill_is_switched_on_by_the_next_run,
                        PortAndNote) {
  const auto index = netlink.find_link("usb0")->index;
  const auto kill_while_off = [&] {
    run_and_kill([&] {
      Netlink theirs;
      new LinkOff{theirs, "usb0", note};
    });
    BOOST_TEST(!is_up());
    BOOST_TEST(noted());
  };
  kill_while_off();
  {
    const WithoutNetAdmin refused;
    BOOST_TEST(refusal([&] { return_link(netlink, note); }) ==
               "switch on link usb0: Operation not permitted");
  }
  BOOST_TEST(noted());
  BOOST_TEST(return_link(netlink, note).value() == index);
  BOOST_TEST(is_up());
  BOOST_TEST(!noted());
  BOOST_TEST(!return_link(netlink, note));
  // Another one of that name is not meant; a note that says nothing is no harm.
  kill_while_off();
  run("ip link set usb0 name usb5 && ip link add usb0 type veth peer name usb6");
  BOOST_TEST(!return_link(netlink, note));
  BOOST_TEST(!is_up());
  run("ip link del usb0 && ip link set usb5 name usb0");
  for (const auto* text : {"", "usb0", "7", "99999 usb0", "usb0 7"}) {
    std::ofstream{note} << text;
    BOOST_TEST(!return_link(netlink, note), text);
    BOOST_TEST(!noted());
  }
  BOOST_TEST(!is_up());
}

BOOST_AUTO_TEST_CASE(the_kernels_own_sentence_is_in_the_message) {
  const auto before = snapshot();
  const auto gateway = *Ipv4Address::parse("10.99.0.1");
  BOOST_TEST(refusal([&] {
               Route{netlink, {.table = 1, .gateway = gateway}};
             }) ==
             "add route default via 10.99.0.1 table 1 (Nexthop has invalid gateway): Network is "
             "unreachable");
  BOOST_TEST(refusal([&] {
               Route{netlink, {.table = 1, .link = "usb7"}};
             }) == "add route default dev usb7 table 1: No such device");
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_foreign_route_of_the_same_name_is_left_alone) {
  const Route ours{netlink, {.table = 1, .link = "usb0"}};
  run("ip route replace default dev usb1 table 1");  // somebody takes our place
  const auto before = snapshot();
  { const Route other{netlink, {.table = 2, .link = "usb0"}}; }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(an_unplugged_link_takes_everything_with_it) {
  std::optional<VethPair> port{std::in_place, "usb2", "usb3"};
  run("ip link set usb2 down");
  const auto rest = [] { return run("ip -d rule; ip -d route show table all; nft list ruleset"); };
  run("ip link set usb2 down && ip link set usb3 down");
  const auto before = rest();
  {
    const Link link{netlink, {.name = "usb2", .mtu_bytes = 1300}};
    const Address address{netlink, {.link = "usb2", .address = prefix("192.168.38.225/29")}};
    const Route route{netlink, {.table = 1, .link = "usb2"}};
    port.reset();
    port.emplace("usb2", "usb3");  // the same name comes back: it is somebody else
    run("ip addr add 192.168.38.225/29 dev usb2");
  }
  BOOST_TEST(contains(run("ip addr show usb2"), "192.168.38.225/29"));
  BOOST_TEST(contains(run("ip addr show usb2"), "mtu 1500"));
  port.reset();
  BOOST_TEST(rest() == before);
}

BOOST_AUTO_TEST_CASE(a_failing_step_undoes_the_earlier_ones) {
  struct Steps {
    explicit Steps(Netlink& netlink)
        : link{netlink, {.name = "usb0"}},
          address{netlink, {.link = "usb0", .address = prefix("10.0.0.1/24")}},
          route{netlink, {.table = 1, .link = "usb0"}},
          again{netlink, {.table = 1, .link = "usb0"}} {}
    Link link;
    Address address;
    Route route;
    Route again;
  };
  run("ip link set usb0 down");
  const auto before = snapshot();
  BOOST_TEST(refusal([&] { Steps{netlink}; }) == "add route default dev usb0 table 1: File exists");
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_SUITE_END()
