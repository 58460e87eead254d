#define BOOST_TEST_MODULE net_relay_flow
#include "net/raw_direction.hpp"
#include "support/patience.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <csignal>
#include <future>
#include <random>
#include <thread>

using namespace rdv;
using namespace std::chrono_literals;
using tunnel::Clock;
using Whose = RawDirection::Whose;
using tunnel::test::patience;

namespace {

/// What the relay's directions share, and its thread: the test's own.
struct Thread {
  Thread() { std::signal(SIGPIPE, SIG_IGN); }
  PipePool pipes;
  asio::io_context io{1};
  Moderation moderation{io.get_executor()};
};

/// A connection: `device` belongs to a device, with threads and blocking calls of its own; `leg` to
/// the relay.
struct Connection {
  explicit Connection(asio::io_context& relay) : leg{relay} {
    tcp::acceptor acceptor{relay, {asio::ip::address_v4::loopback(), 0}};
    device.connect(acceptor.local_endpoint());
    acceptor.accept(leg);
    leg.non_blocking(true);
    for (auto* socket : {&device, &leg})
      socket->set_option(tcp::no_delay{true});
  }
  void send(std::string_view bytes) { asio::write(device, asio::buffer(bytes)); }
  /// "" when it has not come in time.
  std::string receive(std::size_t length) {
    const timeval time{patience.count(), 0};
    ::setsockopt(device.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    std::string bytes(length, '\0');
    std::size_t done = 0;
    while (done < length) {
      const auto n = ::recv(device.native_handle(), bytes.data() + done, length - done, 0);
      if (n <= 0) return {};
      done += static_cast<std::size_t>(n);
    }
    return bytes;
  }

  asio::io_context own_;  // of `device`: nothing runs in it
  tcp::socket device{own_};
  tcp::socket leg;
};

/// One direction between two devices.
struct Flow {
  explicit Flow(Thread& thread)
      : from{thread.io},
        to{thread.io},
        direction{from.leg, to.leg, carried, {thread.pipes, thread.moderation}} {
    asio::co_spawn(thread.io, direction.run(),
                   [this](const std::exception_ptr& thrown, RawDirection::End how) {
                     if (thrown) std::rethrow_exception(thrown);
                     end = how;
                   });
  }
  /// The sender writes, and the relay runs, until nothing has moved for 20 turns. @return how many
  /// bytes went in
  std::size_t fill(asio::io_context& relay) {
    const std::string piece(1 << 20, 'x');
    std::size_t bytes = 0;
    for (int still = 0; still < 20; ++still) {
      const auto before = carried.bytes;
      relay.run_for(10ms);
      const auto n = ::send(from.device.native_handle(), piece.data(), piece.size(),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) bytes += static_cast<std::size_t>(n);
      if (n > 0 || carried.bytes != before) still = 0;
    }
    return bytes;
  }

  Connection from, to;
  Carried carried;
  RawDirection direction;
  std::optional<RawDirection::End> end;
};

std::string random_bytes(std::size_t length) {
  std::mt19937_64 random{length};
  std::string bytes(length, '\0');
  for (auto& byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

Clock::duration cpu_time_of_this_thread() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return std::chrono::seconds{used.ru_utime.tv_sec + used.ru_stime.tv_sec} +
         std::chrono::microseconds{used.ru_utime.tv_usec + used.ru_stime.tv_usec};
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(bytes_arrive_as_they_were_sent_and_then_the_end, Thread) {
  Flow flow{*this};
  const auto bytes = random_bytes(std::size_t{64} << 20U);
  auto sender = std::async(std::launch::async, [&] {
    flow.from.send(bytes);
    flow.from.device.shutdown(tcp::socket::shutdown_send);
  });
  auto receiver = std::async(std::launch::async, [&] { return flow.to.receive(bytes.size()); });
  io.run_for(60s);
  sender.get();
  BOOST_TEST((receiver.get() == bytes));
  BOOST_TEST_REQUIRE(flow.end.has_value());
  BOOST_TEST((flow.end->whose == Whose::sender));
  BOOST_TEST(flow.end->why == asio::error::eof);
  BOOST_TEST(flow.carried.bytes == bytes.size());
}

BOOST_FIXTURE_TEST_CASE(what_comes_in_small_pieces_fast_is_never_left_lying, Thread) {
  Flow flow{*this};
  // Each burst wakes the relay often enough to make it gather; its last piece must come out, too.
  auto device = std::async(std::launch::async, [&] {
    for (int burst = 0; burst < 50; ++burst) {
      const auto piece = random_bytes(static_cast<std::size_t>(100 + burst * 200));
      for (int i = 0; i < 30; ++i) {
        flow.from.send(piece);
        for (const auto until = Clock::now() + 50us; Clock::now() < until;) {
        }
      }
      for (int i = 0; i < 30; ++i)
        if (flow.to.receive(piece.size()) != piece) return false;
    }
    flow.from.device.shutdown(tcp::socket::shutdown_send);
    return true;
  });
  io.run_for(60s);
  BOOST_TEST(device.get());
  BOOST_TEST(flow.end.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_frozen_receiver_costs_others_nothing, Thread) {
  Flow frozen{*this};
  BOOST_TEST(frozen.fill(io) > frozen.carried.bytes);  // every buffer on the way is full
  const auto carried = frozen.carried.bytes;

  const auto before = cpu_time_of_this_thread();
  io.run_for(500ms);
  BOOST_TEST((cpu_time_of_this_thread() - before < 20ms));  // nothing turns in circles

  Flow lively{*this};
  const auto bytes = random_bytes(std::size_t{16} << 20U);
  auto sender = std::async(std::launch::async, [&] {
    lively.from.send(bytes);
    lively.from.device.shutdown(tcp::socket::shutdown_send);
  });
  auto receiver = std::async(std::launch::async, [&] { return lively.to.receive(bytes.size()); });
  while (!lively.end && !io.stopped())
    io.run_one_for(10s);
  sender.get();
  BOOST_TEST((receiver.get() == bytes));
  BOOST_TEST(frozen.carried.bytes == carried);

  frozen.from.leg.close();
  frozen.to.leg.close();
  io.run_for(patience);
  BOOST_TEST_REQUIRE(frozen.end.has_value());
  BOOST_TEST((frozen.end->whose == Whose::nobody));
}

BOOST_FIXTURE_TEST_CASE(a_receiver_that_wakes_up_gets_all_of_it, Thread) {
  Flow flow{*this};
  const auto sent = flow.fill(io);
  auto receiver = std::async(std::launch::async, [&] {
    const auto all = flow.to.receive(sent);
    flow.from.device.close();
    return all.size();
  });
  io.run_for(60s);
  BOOST_TEST(receiver.get() == sent);
  BOOST_TEST(flow.end.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_direction_tells_whose_connection_broke, Thread) {
  Flow sender_breaks{*this}, receiver_breaks{*this};
  sender_breaks.from.device.set_option(asio::socket_base::linger{true, 0});
  sender_breaks.from.device.close();
  receiver_breaks.to.device.set_option(asio::socket_base::linger{true, 0});
  receiver_breaks.to.device.close();
  receiver_breaks.from.send("for nobody");
  io.run_for(patience);
  BOOST_TEST_REQUIRE(sender_breaks.end.has_value());
  BOOST_TEST((sender_breaks.end->whose == Whose::sender));
  BOOST_TEST(sender_breaks.end->why == asio::error::connection_reset);
  BOOST_TEST_REQUIRE(receiver_breaks.end.has_value());
  BOOST_TEST((receiver_breaks.end->whose == Whose::receiver));
}

BOOST_FIXTURE_TEST_CASE(a_direction_ends_when_we_close_its_sockets, Thread) {
  Flow flow{*this};
  io.run_for(20ms);
  flow.from.leg.close();
  io.run_for(patience);
  BOOST_TEST_REQUIRE(flow.end.has_value());
  BOOST_TEST((flow.end->whose == Whose::nobody));
}
