#define BOOST_TEST_MODULE net_relay_parts
#include "io/leg_socket.hpp"
#include "net/moderation.hpp"
#include "net/pipe_pool.hpp"
#include "support/patience.hpp"

#include <boost/asio/connect.hpp>
#include <boost/test/unit_test.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <csignal>
#include <string>

using namespace rdv;
using namespace std::chrono_literals;
using tunnel::Clock;
using Step = Pipe::Step;

namespace {

struct SocketPair {
  SocketPair() {
    int both[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both) == 0);
    a.reset(both[0]);
    b.reset(both[1]);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void write(std::string_view text) const {
    BOOST_REQUIRE(::write(a.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  tunnel::UniqueFd a, b;
};

/// Wakes up `count` times with `apart` between them. @return when the last was
Clock::time_point wake(WakeupRate& rate, Clock::time_point now, int count, Clock::duration apart) {
  for (int i = 0; i < count; ++i)
    rate.on_wakeup(now += apart);
  return now;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_pipe_moves_bytes_and_then_the_end) {
  SocketPair in, out;
  PipePool pool;
  auto pipe = pool.take();
  BOOST_TEST((pipe.move(in.b.get(), out.a.get()).step == Step::wants_read));
  in.write("abc");
  const auto moved = pipe.move(in.b.get(), out.a.get());
  BOOST_TEST(moved.bytes == 3U);
  // So few bytes were all there was: no second look is needed to know it.
  BOOST_TEST((moved.step == Step::wants_read));
  in.a.reset();
  BOOST_TEST((pipe.move(in.b.get(), out.a.get()).step == Step::ended));
}

BOOST_AUTO_TEST_CASE(a_pipe_tells_of_the_end_with_the_last_bytes_or_behind_them) {
  SocketPair in, out;
  PipePool pool;
  auto pipe = pool.take();
  in.write("last");
  in.a.reset();
  std::size_t bytes = 0;
  auto step = Step::moved;
  for (int i = 0; i < 3 && step != Step::ended; ++i) {
    const auto moved = pipe.move(in.b.get(), out.a.get());
    bytes += moved.bytes;
    step = moved.step;
  }
  BOOST_TEST((step == Step::ended));
  BOOST_TEST(bytes == 4U);
}

BOOST_AUTO_TEST_CASE(a_pipe_holds_no_more_than_its_size) {
  SocketPair in, out;
  PipePool pool;
  auto pipe = pool.take();
  BOOST_TEST(pipe.size_bytes() <= Pipe::bytes_max);
  const std::string many(std::size_t{64} * 1024, 'x');
  std::size_t written = 0;
  for (int i = 0; i < 1000; ++i) {
    if (const auto n = ::write(in.a.get(), many.data(), many.size()); n > 0)
      written += static_cast<std::size_t>(n);
    (void)pipe.move(in.b.get(), out.a.get());
  }
  BOOST_TEST((pipe.move(in.b.get(), out.a.get()).step == Step::wants_write));
  BOOST_TEST(pipe.held_bytes() > 0U);
  BOOST_TEST(pipe.held_bytes() <= pipe.size_bytes());
  BOOST_TEST(written > pipe.held_bytes());
}

BOOST_AUTO_TEST_CASE(a_pipe_loses_and_adds_nothing_however_slow_the_receiver_is) {
  SocketPair in, out;
  PipePool pool;
  auto pipe = pool.take();
  std::string sent, received;
  std::string buffer(std::size_t{48} * 1024, '\0');
  for (int i = 0; i < 400; ++i) {
    std::string piece(static_cast<std::size_t>(1 + i * 131 % 50'000), static_cast<char>(i));
    if (const auto n = ::write(in.a.get(), piece.data(), piece.size()); n > 0)
      sent.append(piece, 0, static_cast<std::size_t>(n));
    (void)pipe.move(in.b.get(), out.a.get());
    if (i % 3 != 0) continue;
    if (const auto n = ::read(out.b.get(), buffer.data(), buffer.size()); n > 0)
      received.append(buffer, 0, static_cast<std::size_t>(n));
  }
  in.a.reset();
  for (bool over = false; !over;) {
    over = pipe.move(in.b.get(), out.a.get()).step == Step::ended;
    for (ssize_t n = 1; n > 0;)
      if (n = ::read(out.b.get(), buffer.data(), buffer.size()); n > 0)
        received.append(buffer, 0, static_cast<std::size_t>(n));
  }
  BOOST_TEST(sent.size() > 1'000'000U);
  BOOST_TEST((sent == received));
}

BOOST_AUTO_TEST_CASE(a_pipe_tells_whose_end_failed) {
  SocketPair in, out;
  PipePool pool;
  auto pipe = pool.take();
  in.write("abc");
  out.b.reset();
  BOOST_TEST((pipe.move(in.b.get(), out.a.get()).step == Step::receiver_failed));
}

BOOST_AUTO_TEST_CASE(only_empty_pipes_are_used_again) {
  SocketPair in, out;
  PipePool pool;
  auto pipe = pool.take();
  in.write("old");
  out.b.reset();
  (void)pipe.move(in.b.get(), out.a.get());
  BOOST_TEST(pipe.held_bytes() == 3U);
  pool.give_back(std::move(pipe));
  SocketPair next;
  auto fresh = pool.take();
  BOOST_TEST((fresh.move(next.a.get(), next.b.get()).step == Step::wants_read));
}

BOOST_AUTO_TEST_CASE(the_more_pipes_there_are_the_smaller_they_get) {
  PipePool pool;
  std::vector<Pipe> pipes;
  std::size_t all = 0;
  for (int i = 0; i < 200; ++i) {
    pipes.push_back(pool.take());
    BOOST_TEST(pipes.back().size_bytes() > 0U);
    if (i > 0) BOOST_TEST(pipes[i].size_bytes() <= pipes[i - 1].size_bytes());
    all += pipes.back().size_bytes();
  }
  const auto largest = pipes.front().size_bytes();
  // Nobody is left with less than the kernel's own size (pipe(7)).
  BOOST_TEST(pipes.back().size_bytes() >= std::min(largest, std::size_t{64} * 1024));
  BOOST_TEST(all <= PipePool::medium_until_bytes + 200 * std::size_t{64} * 1024);
  pipes.clear();
  BOOST_TEST(pool.take().size_bytes() == largest);
}

BOOST_AUTO_TEST_CASE(a_thread_is_busy_while_it_is_woken_often) {
  WakeupRate rate;
  auto now = wake(rate, Clock::time_point{1h}, 10, 1ms);
  BOOST_TEST(!rate.is_busy());
  now = wake(rate, now, 10, 400us);
  BOOST_TEST(rate.is_busy());
  now = wake(rate, now, 10, 900us);
  BOOST_TEST(rate.is_busy());
  wake(rate, now, 3, 1100us);
  BOOST_TEST(!rate.is_busy());
}

BOOST_AUTO_TEST_CASE(a_thread_is_calm_again_after_a_pause) {
  WakeupRate rate;
  const auto now = wake(rate, Clock::time_point{1h}, 100, 100us);
  BOOST_TEST(rate.is_busy());
  wake(rate, now, 1, 50ms);
  BOOST_TEST(!rate.is_busy());
}

BOOST_AUTO_TEST_CASE(all_that_wait_for_the_next_look_look_together) {
  asio::io_context io{1};
  Moderation moderation{io.get_executor()};
  std::vector<Clock::time_point> looked;
  const auto look_once = [](Moderation& all, std::vector<Clock::time_point>& when) -> Task<> {
    co_await all.next_look();
    when.push_back(Clock::now());
  };
  const auto before = Clock::now();
  for (int i = 0; i < 3; ++i)
    asio::co_spawn(io, look_once(moderation, looked), asio::detached);
  BOOST_TEST(io.run_for(tunnel::test::patience) > 0U);
  BOOST_TEST(io.stopped());  // nobody waits any more: nothing is left to do
  BOOST_TEST_REQUIRE(looked.size() == 3U);
  BOOST_TEST((looked.front() - before >= Moderation::period));
}

BOOST_AUTO_TEST_CASE(a_leg_is_bounded_and_not_paced) {
  asio::io_context io;
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket near{io}, far{io};
  near.connect(acceptor.local_endpoint());
  acceptor.accept(far);
  const int fd = near.native_handle();
  tunnel::io::tune_leg(fd);
  const auto option = [fd](int name) {
    int value = 0;
    socklen_t length = sizeof value;
    BOOST_TEST(::getsockopt(fd, IPPROTO_TCP, name, &value, &length) == 0);
    return value;
  };
  BOOST_TEST(option(TCP_USER_TIMEOUT) == 30'000);
  BOOST_TEST(option(TCP_NOTSENT_LOWAT) == 256 * 1024);
  std::string name(16, '\0');
  socklen_t length = 16;
  BOOST_TEST(::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) == 0);
  BOOST_TEST(name.substr(0, 3) != "bbr");
}
