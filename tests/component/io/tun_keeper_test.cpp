#include "io/tun_keeper.hpp"

#include "base/unique_fd.hpp"
#include "support/patience.hpp"
#include "support/tcp_packet.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>

#include <array>
#include <unistd.h>

using namespace tunnel;
using namespace tunnel::io;
using namespace std::chrono_literals;
using tunnel::test::sequence_of;
using tunnel::test::tcp_packet;

namespace {

/// A packet device: whole packets only, as with a TUN.
struct Device {
  Device() {
    std::array<int, 2> fds{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) == 0);
    tun.reset(fds[0]);
    kernel.reset(fds[1]);
  }
  void give(ByteView packet) {
    BOOST_REQUIRE(::write(kernel.get(), packet.data(), packet.size()) ==
                  static_cast<ssize_t>(packet.size()));
  }
  void run_until(const std::function<bool()>& done) {
    const auto ends = Clock::now() + tunnel::test::patience;
    while (!done() && Clock::now() < ends)
      io.run_one_for(20ms);
    BOOST_REQUIRE(done());
  }

  asio::io_context io{1};
  UniqueFd tun, kernel;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_keeper_reads_the_tun_and_keeps_the_newest_acknowledgement_of_each_flow) {
  Device device;
  TunKeeper keeper{device.io.get_executor(), device.tun.get()};
  bool over = false;
  asio::co_spawn(device.io, keeper.run(), [&](std::exception_ptr) { over = true; });
  for (std::uint32_t i = 0; i < 200; ++i) {
    device.give(tcp_packet({.port = static_cast<std::uint16_t>(i % 3),
                            .sequence = i,
                            .text_bytes = 0,
                            .flags = 0x10}));
    device.io.poll();
  }
  device.run_until([&] { return keeper.keep().packets() == 3; });
  device.run_until(
      [&] { return ::recv(device.tun.get(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) < 0; });
  keeper.stop();
  device.run_until([&] { return over; });
  const auto kept = keeper.take();
  BOOST_REQUIRE(kept.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    BOOST_TEST(sequence_of(kept[i]) == 197U + i);
  BOOST_TEST(!keeper.is_tun_gone());
}

BOOST_AUTO_TEST_CASE(a_keeper_that_was_stopped_reads_no_more) {
  Device device;
  TunKeeper keeper{device.io.get_executor(), device.tun.get()};
  bool over = false;
  asio::co_spawn(device.io, keeper.run(), [&](std::exception_ptr) { over = true; });
  device.io.poll();
  device.give(tcp_packet({.sequence = 5}));
  keeper.stop();
  device.run_until([&] { return over; });
  BOOST_TEST(keeper.keep().packets() == 0U);
  Bytes packet(2000);
  BOOST_TEST(::read(device.tun.get(), packet.data(), packet.size()) > 0);  // it is still there
  BOOST_TEST(sequence_of(packet) == 5U);
}

BOOST_AUTO_TEST_CASE(a_keeper_notices_that_the_tun_is_gone) {
  Device device;
  TunKeeper keeper{device.io.get_executor(), device.tun.get()};
  bool over = false;
  asio::co_spawn(device.io, keeper.run(), [&](std::exception_ptr) { over = true; });
  device.io.poll();
  device.kernel.reset();
  device.run_until([&] { return over; });
  BOOST_TEST(keeper.is_tun_gone());
}

BOOST_AUTO_TEST_CASE(a_keeper_that_never_ran_leaves_the_tun_open) {
  Device device;
  { const TunKeeper keeper{device.io.get_executor(), device.tun.get()}; }
  device.give(tcp_packet({}));
  Bytes packet(2000);
  BOOST_TEST(::read(device.tun.get(), packet.data(), packet.size()) > 0);
}
