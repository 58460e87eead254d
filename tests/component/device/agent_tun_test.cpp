#define BOOST_TEST_MODULE agent_tun
#include "component/device/agent_end.hpp"
#include "net/address.hpp"
#include "net/link.hpp"
#include "net/tun_device.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <linux/if_tun.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <future>
#include <random>
#include <sched.h>
#include <thread>
#include <unistd.h>

using namespace agent_test;
using namespace std::chrono_literals;
using tunnel::UniqueFd;

/// The pump between two real TUN devices, each in a namespace of its own: the kernels' own packets,
/// checksums and super-packets go through. Needs root.
namespace {

/// A network namespace with loopback and one end of the tunnel; the thread that made it is inside.
struct Island {
  explicit Island(const std::string& address) {
    BOOST_REQUIRE(::unshare(CLONE_NEWNET) == 0);
    self.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    netlink.emplace();
    loopback.emplace(*netlink, tunnel::net::Link::Spec{.name = "lo"});
    tun.emplace(*netlink);
    own.emplace(*netlink,
                tunnel::net::Address::Spec{.link = tun->name(),
                                           .address = *tunnel::Ipv4Prefix::parse(address + "/30")});
    up.emplace(*netlink, tunnel::net::Link::Spec{.name = tun->name()});
  }
  void enter() const { BOOST_REQUIRE(::setns(self.get(), CLONE_NEWNET) == 0); }
  UniqueFd socket(int type) const {
    enter();
    return UniqueFd{::socket(AF_INET, type | SOCK_CLOEXEC, 0)};
  }

  UniqueFd self;
  std::optional<tunnel::net::Netlink> netlink;
  std::optional<tunnel::net::Link> loopback;
  std::optional<tunnel::net::TunDevice> tun;
  std::optional<tunnel::net::Address> own;
  std::optional<tunnel::net::Link> up;
};

sockaddr_in at(const char* address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &in.sin_addr);
  return in;
}

const sockaddr* generic(const sockaddr_in& in) {
  return reinterpret_cast<const sockaddr*>(&in);
}

/// A running session between the two islands.
struct Tunnel {
  Tunnel() : onsite{onsite_address}, master{master_address} {
    session.emplace();
    session->master.use_tun(UniqueFd{::fcntl(master.tun->fd(), F_DUPFD_CLOEXEC, 3)});
    session->onsite.use_tun(UniqueFd{::fcntl(onsite.tun->fd(), F_DUPFD_CLOEXEC, 3)});
    BOOST_REQUIRE(session->run_until_established());
  }

  Island onsite, master;  // loopback of the second carries the legs
  std::optional<Session> session;
};

/// Sends `bytes` from one end to the other. @return what arrived
std::string transfer(Tunnel& tunnel, const std::string& bytes) {
  const auto listener = tunnel.onsite.socket(SOCK_STREAM);
  const auto address = at(onsite_address, 5000);
  BOOST_REQUIRE(::bind(listener.get(), generic(address), sizeof address) == 0);
  BOOST_REQUIRE(::listen(listener.get(), 1) == 0);
  const auto client = tunnel.master.socket(SOCK_STREAM);
  std::string arrived;
  std::thread reader{[&] {
    const UniqueFd peer{::accept(listener.get(), nullptr, nullptr)};
    std::string chunk(1 << 20, '\0');
    for (ssize_t got = 0; (got = ::read(peer.get(), chunk.data(), chunk.size())) > 0;)
      arrived.append(chunk, 0, static_cast<std::size_t>(got));
  }};
  std::atomic<bool> done = false;
  std::thread writer{[&] {
    if (::connect(client.get(), generic(address), sizeof address) == 0)
      for (std::size_t sent = 0; sent < bytes.size();) {
        const auto n = ::write(client.get(), bytes.data() + sent, bytes.size() - sent);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
    ::shutdown(client.get(), SHUT_WR);
    reader.join();
    done = true;
  }};
  tunnel.session->run_until([&] { return done.load(); }, 60s);
  if (!done) {
    ::shutdown(listener.get(), SHUT_RDWR);
    ::shutdown(client.get(), SHUT_RDWR);
  }
  writer.join();
  return arrived;
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_AUTO_TEST_CASE(a_stream_passes_between_two_kernels_in_super_packets) {
  Tunnel tunnel;
  BOOST_TEST((tunnel.session->master.offloads & TUN_F_TSO4) != 0u);
  std::mt19937 random{5};
  std::string bytes(24 << 20, '\0');
  for (auto& byte : bytes)
    byte = static_cast<char>(random());
  BOOST_TEST((transfer(tunnel, bytes) == bytes));
  const auto& counters = tunnel.session->master.pump().counters();
  BOOST_TEST(counters.tx_bytes / counters.tx_packets > 4 * wire::tunnel_mtu_bytes);
  BOOST_TEST(tunnel.session->onsite.pump().counters().dropped_kernel == 0u);
  BOOST_TEST(tunnel.session->onsite.pump().counters().dropped_malformed == 0u);
}

BOOST_AUTO_TEST_CASE(datagrams_of_every_size_pass_with_good_checksums) {
  Tunnel tunnel;
  const auto receiver = tunnel.onsite.socket(SOCK_DGRAM | SOCK_NONBLOCK);
  const auto address = at(onsite_address, 5001);
  BOOST_REQUIRE(::bind(receiver.get(), generic(address), sizeof address) == 0);
  const auto sender = tunnel.master.socket(SOCK_DGRAM);
  std::size_t received = 0;
  std::string chunk(70'000, '\0');
  std::size_t sent = 0;
  for (std::size_t size = 0; size <= 60'000; size += size < 1500 ? 97 : 9973) {
    const std::string datagram(size, 'u');
    ++sent;
    BOOST_TEST(::sendto(sender.get(), datagram.data(), size, 0, generic(address), sizeof address) ==
               static_cast<ssize_t>(size));
    ssize_t got = -1;
    tunnel.session->run_until([&] {
      if (got < 0) got = ::recv(receiver.get(), chunk.data(), chunk.size(), 0);
      return got >= 0;
    });
    BOOST_TEST(got == static_cast<ssize_t>(size));
    if (got >= 0) ++received;
  }
  BOOST_TEST(received == sent);
}

BOOST_AUTO_TEST_CASE(a_tun_that_is_taken_away_ends_the_session_with_that_cause) {
  Tunnel tunnel;
  tunnel.master.up.reset();
  tunnel.master.own.reset();
  tunnel.master.tun.reset();  // deletes the link, as netd does
  BOOST_REQUIRE(tunnel.session->run_until_over());
  BOOST_CHECK(tunnel.session->master.end->code == CloseCode::kernel);
}
