// Real packets: a laptop, a master (this namespace), its own LAN, and a customer behind a TUN
// device.
#include "component/net/support.hpp"
#include "net/address.hpp"
#include "net/conntrack.hpp"
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
#include <fmt/format.h>
#include <sys/eventfd.h>

#include <array>
#include <fcntl.h>
#include <future>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <thread>
#include <unistd.h>

using namespace tunnel;
using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

constexpr auto permits = R"(
  chain forward { type filter hook forward priority -10; policy accept;
    iifname "usb0" oifname "rdv0" meta mark set 0x52445600;
    iifname "rdv0" oifname "usb0" ct state established,related meta mark set 0x52445600; };
  chain post { type nat hook postrouting priority srcnat; policy accept; oifname "rdv0" masquerade; };)";

std::string one_ping(const std::string& host) {
  return "ping -c1 -W1 " + host;
}

Ipv4Prefix prefix(const char* text) {
  return *Ipv4Prefix::parse(text);
}

/// The customer: a TUN device in another namespace, joined by a thread with the one in this.
class Customer {
 public:
  explicit Customer(int master_tun) : stop_{::eventfd(0, EFD_CLOEXEC)} {
    std::promise<void> ready;
    auto is_ready = ready.get_future();
    thread_ = std::thread{[this, master_tun, &ready] {
      try {
        enter();
        Netlink netlink;
        const TunDevice tun{netlink};
        const Link up{netlink, {.name = "rdv0"}};
        const Address address{netlink, {.link = "rdv0", .address = prefix("192.168.200.5/30")}};
        ready.set_value();
        pump(master_tun, tun.fd());
      } catch (...) {
        ready.set_exception(std::current_exception());
      }
    }};
    is_ready.get();
    // The same address as the master has in its own LAN, and a host next to it.
    host.run("ip addr add 192.168.1.10/24 dev lo && ip addr add 192.168.1.50/24 dev lo");
  }
  ~Customer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  Customer(Customer&&) = delete;

  Namespace host;

 private:
  void enter() const {
    const UniqueFd space{
        ::open(fmt::format("/proc/{}/ns/net", host.pid()).c_str(), O_RDONLY | O_CLOEXEC)};
    if (::setns(space.get(), CLONE_NEWNET) != 0)
      throw NetError{errno, "enter the customer's namespace"};
  }
  void pump(int a, int b) const {
    std::array<char, 65536> packet{};
    std::array<pollfd, 3> waiting{{{a, POLLIN, 0}, {b, POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    while (::poll(waiting.data(), waiting.size(), -1) > 0 && waiting[2].revents == 0) {
      for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
        const auto bytes = ::read(from, packet.data(), packet.size());
        if (bytes > 0 && ::write(to, packet.data(), static_cast<std::size_t>(bytes)) < 0)
          continue;  // lost: it is IP
      }
    }
  }
  UniqueFd stop_;
  std::thread thread_;
};

/// A master without session: the laptop's port with its rules, and a LAN of its own with the
/// customer's addresses.
struct Master {
  Master() {
    run("ip addr add 192.168.1.10/24 dev lan0");
    office.take("lan1", "192.168.1.77/24");
    office.run("ip route add default via 192.168.1.10");
    laptop.take("usb1", "192.168.38.226/29");
    laptop.run("ip route add default via 192.168.38.225");
    GuardTable{}.apply({"usb0"});
  }
  ~Master() { GuardTable{}.remove(); }

  /// One question: for what must not be answered.
  bool ping(const std::string& host) const { return laptop.succeeds(one_ping(host)); }
  /// For what must be.
  bool reaches(const std::string& host) const {
    return eventually([&] { return ping(host); });
  }
  /// Asks until the answer says so: the kernel limits its ICMP errors to about one in a second and
  /// host, with a short burst.
  bool is_told(const std::string& host, const std::string& part) const {
    return eventually([&] { return contains(laptop.run(one_ping(host) + "; true"), part); });
  }

  Namespace laptop;
  Namespace office;
  VethPair lan{"lan0", "lan1"};
  VethPair usb{"usb0", "usb1"};
  Netlink netlink;
  Address address{netlink, {.link = "usb0", .address = prefix("192.168.38.225/29")}};
  Sysctl forwarding{{.key = "ipv4/conf/usb0/forwarding", .value = "1"}};
  Route unreachable{netlink,
                    {.table = 1, .type = Route::Type::unreachable, .metric = Route::guard_metric}};
  IpRule to_us{netlink,
               {.iif = "usb0", .to = prefix("192.168.38.224/29"), .table = 255, .priority = 10}};
};

struct Tunnel {
  explicit Tunnel(Netlink& netlink)
      : tun{netlink},
        up{netlink, {.name = "rdv0"}},
        address{netlink, {.link = "rdv0", .address = prefix("192.168.200.6/30")}} {
    write_sysctl("ipv4/conf/rdv0/accept_local", "1");
    write_sysctl("ipv4/conf/rdv0/rp_filter", "0");
    write_sysctl("ipv4/conf/rdv0/forwarding", "1");
  }
  TunDevice tun;
  Link up;
  Address address;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_FIXTURE_TEST_CASE(before_a_session_the_laptop_is_told_and_nothing_leaks, Master) {
  const IpRule from_laptop{netlink, {.iif = "usb0", .table = 1, .priority = 20}};
  const LocalRule moved{netlink};
  BOOST_TEST(reaches("192.168.38.225"));
  BOOST_TEST(is_told("8.8.8.8", "Destination Host Unreachable"));
  BOOST_TEST(is_told("192.168.1.10", "Destination Host Unreachable"));
}

BOOST_FIXTURE_TEST_CASE(the_customers_host_is_reached_though_the_master_has_its_address, Master) {
  const Tunnel tunnel{netlink};
  Customer customer{tunnel.tun.fd()};
  const IpRule from_laptop{netlink, {.iif = "usb0", .table = 1, .priority = 20}};
  const NftTable table{{.name = "rdv_session", .body = permits}};
  const Route out{netlink, {.table = 1, .link = "rdv0"}};
  BOOST_TEST(is_told("192.168.1.50", "ttl=63"));
  BOOST_TEST(
      is_told("192.168.1.10", "ttl=64"));  // the master itself: this is why the rule is moved
  {
    const LocalRule moved{netlink};
    flush_conntrack(prefix("192.168.38.226"));
    BOOST_TEST(is_told("192.168.1.10", "ttl=63"));  // one hop further: the customer's
    BOOST_TEST(is_told("192.168.1.50", "ttl=63"));
    BOOST_TEST(reaches("192.168.38.225"));
    // The master's own LAN is where it was.
    BOOST_TEST(eventually([] { return succeeds(one_ping("192.168.1.77")); }));
    BOOST_TEST(eventually([&] { return office.succeeds(one_ping("192.168.1.10")); }));
  }
  flush_conntrack(prefix("192.168.38.226"));
  BOOST_TEST(is_told("192.168.1.10", "ttl=64"));
}

BOOST_FIXTURE_TEST_CASE(what_the_session_permits_passes_the_guard_and_nothing_else, Master) {
  const Tunnel tunnel{netlink};
  Customer customer{tunnel.tun.fd()};
  const IpRule from_laptop{netlink, {.iif = "usb0", .table = 1, .priority = 20}};
  const Route out{netlink, {.table = 1, .link = "rdv0"}};
  BOOST_TEST(!ping("192.168.1.50"));
  std::optional<NftTable> table{NftTable::Spec{.name = "rdv_session", .body = permits}};
  BOOST_TEST(reaches("192.168.1.50"));
  // The customer can neither begin a connection to the laptop nor to the master.
  customer.host.run("ip route add 192.168.38.224/29 via 192.168.200.6");
  BOOST_TEST(!customer.host.succeeds(one_ping("192.168.38.226")));
  BOOST_TEST(!customer.host.succeeds(one_ping("192.168.200.6")));
  table.reset();
  BOOST_TEST(!ping("192.168.1.50"));
}

BOOST_FIXTURE_TEST_CASE(when_the_tables_process_is_killed_everything_is_dropped, Master) {
  const Tunnel tunnel{netlink};
  Customer customer{tunnel.tun.fd()};
  const IpRule from_laptop{netlink, {.iif = "usb0", .table = 1, .priority = 20}};
  const Route out{netlink, {.table = 1, .link = "rdv0"}};
  run_and_kill([&] {
    new NftTable{{.name = "rdv_session", .body = permits}};
    if (!reaches("192.168.1.50")) throw NetError{EHOSTUNREACH, "ping through the tunnel"};
  });
  BOOST_TEST(!ping("192.168.1.50"));
  BOOST_TEST(reaches("192.168.38.225"));
}

BOOST_FIXTURE_TEST_CASE(without_its_rules_the_laptops_port_still_does_not_reach_the_lan, Master) {
  write_sysctl("ipv4/conf/lan0/forwarding", "1");
  BOOST_TEST(!ping("192.168.1.77"));
  GuardTable{}.remove();
  BOOST_TEST(reaches("192.168.1.77"));  // so it was the guard
}

BOOST_AUTO_TEST_SUITE_END()
