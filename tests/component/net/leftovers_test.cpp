#include "net/leftovers.hpp"

#include "component/net/support.hpp"
#include "net/address.hpp"
#include "net/guard_table.hpp"
#include "net/ip_rule.hpp"
#include "net/link.hpp"
#include "net/local_rule.hpp"
#include "net/net_error.hpp"
#include "net/nft_table.hpp"
#include "net/route.hpp"
#include "net/sysctl.hpp"
#include "net/tun_device.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>

#include <array>
#include <filesystem>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

/// What a master with an open session has in its kernel.
struct Session {
  Session(Netlink& netlink, const std::string& journal)
      : port{netlink, {.name = "usb0"}},
        address{netlink, {.link = "usb0", .address = *Ipv4Prefix::parse("192.168.38.225/29")}},
        guard{netlink,
              {.table = 1, .type = Route::Type::unreachable, .metric = Route::guard_metric}},
        to_us{netlink,
              {.iif = "usb0",
               .to = Ipv4Prefix::parse("192.168.38.224/29"),
               .table = 255,
               .priority = 10}},
        from_laptop{netlink, {.iif = "usb0", .table = 1, .priority = 20}},
        local{netlink},
        forwarding{{.key = "ipv4/conf/usb0/forwarding", .value = "1", .journal = journal}},
        tun{netlink},
        tun_up{netlink, {.name = tun.name()}},
        tunnel_address{netlink,
                       {.link = tun.name(), .address = *Ipv4Prefix::parse("192.168.200.6/30")}},
        out{netlink, {.table = 1, .link = tun.name()}},
        via{netlink,
            {.destination = *Ipv4Prefix::parse("10.7.0.0/16"),
             .table = 1000,
             .link = "usb0",
             .gateway = *Ipv4Address::parse("192.168.38.226")}},
        permits{{.name = "rdv_session", .body = "chain a { };"}} {}

  Link port;
  Address address;
  Route guard;
  IpRule to_us;
  IpRule from_laptop;
  LocalRule local;
  Sysctl forwarding;
  TunDevice tun;
  Link tun_up;
  Address tunnel_address;
  Route out;
  Route via;
  NftTable permits;
};

struct Machine {
  Machine() {
    run("ip rule add iif usb0 lookup 7 priority 11 && ip rule add from 10.0.0.0/8 lookup 8 "
        "priority 25 protocol 199 &&"
        "ip route add 10.1.0.0/16 dev usb0 table 1 && ip addr add 10.2.0.1/24 dev usb0 &&"
        "ip tuntap add rdv7 mode tun && nft add table ip foreign");
  }
  ~Machine() {
    succeeds(
        "ip rule del priority 11; ip rule del priority 25; ip link del rdv7; nft flush ruleset");
    std::filesystem::remove_all(std::filesystem::path{journal}.parent_path());
  }
  VethPair veth{"usb0", "usb1"};
  Netlink netlink;
  std::string journal = run("mktemp -d | tr -d '\\n'") + "/notes";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(leftovers, Machine)

BOOST_AUTO_TEST_CASE(a_whole_session_undoes_itself) {
  const auto before = snapshot();
  {
    const Session session{netlink, journal};
    BOOST_TEST((snapshot() != before));
  }
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(!sweep_leftovers(netlink, journal).any());
}

BOOST_AUTO_TEST_CASE(what_a_kill_left_behind_is_swept_and_nothing_else) {
  const auto before = snapshot();
  run_and_kill([&] {
    Netlink its;
    new Session{its, journal};
  });
  BOOST_TEST((snapshot() != before));
  const auto found = sweep_leftovers(netlink, journal);
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(found.local_rule);
  BOOST_TEST(found.links == 0U);  // the kernel took the TUN device with its descriptor
  BOOST_TEST(found.sysctls == 1U);
  BOOST_TEST(found.rules == 2U);
  BOOST_TEST(found.routes == 2U);
  BOOST_TEST(found.addresses == 1U);
  BOOST_TEST(!sweep_leftovers(netlink, journal).any());
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_kill_at_each_step_leaves_nothing_that_is_not_swept) {
  const auto before = snapshot();
  for (int steps = 1; steps <= 6; ++steps) {
    run_and_kill([&] {
      static Netlink its;
      new Address{its, {.link = "usb0", .address = *Ipv4Prefix::parse("192.168.38.225/29")}};
      if (steps > 1)
        new Route{its,
                  {.table = 1, .type = Route::Type::unreachable, .metric = Route::guard_metric}};
      if (steps > 2) new IpRule{its, {.iif = "usb0", .table = 1, .priority = 20}};
      if (steps > 3) new LocalRule{its};
      if (steps > 4)
        new Sysctl{{.key = "ipv4/conf/usb0/forwarding", .value = "1", .journal = journal}};
      if (steps > 5) new TunDevice{its};
    });
    BOOST_TEST(sweep_leftovers(netlink, journal).any());
    BOOST_TEST(changes_since(before) == "");
  }
}

BOOST_AUTO_TEST_CASE(a_kill_between_the_two_steps_of_the_local_rule_is_repaired) {
  const auto before = snapshot();
  run("ip rule add lookup local priority 30 protocol 200");  // added, the kernel's not deleted yet
  BOOST_TEST(sweep_leftovers(netlink, "").local_rule);
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(a_device_that_a_hung_agent_holds_is_deleted) {
  const auto before = snapshot();
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd here{ends[0]};
  const UniqueFd there{ends[1]};
  run_and_kill([&] {
    Netlink its;
    auto* device = new TunDevice{its};
    const int lent = device->fd();
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof lent)> control{};
    char byte = 'x';
    iovec one{.iov_base = &byte, .iov_len = 1};
    msghdr message{};
    message.msg_iov = &one;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof lent);
    std::copy_n(reinterpret_cast<const char*>(&lent), sizeof lent, CMSG_DATA(header));
    if (::sendmsg(there.get(), &message, 0) != 1) throw NetError{errno, "lend the descriptor"};
  });
  // The descriptor lies unread in our socket: somebody still holds it.
  BOOST_TEST(netlink.find_link("rdv0").has_value());
  BOOST_TEST(sweep_leftovers(netlink, "").links == 1U);
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(the_guard_stays) {
  GuardTable{}.apply({"usb0"});
  const auto before = snapshot();
  BOOST_TEST(!sweep_leftovers(netlink, "").any());
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(contains(before, "rdv_guard"));
}

BOOST_AUTO_TEST_SUITE_END()
