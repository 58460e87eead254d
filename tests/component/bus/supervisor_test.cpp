#define BOOST_TEST_MODULE supervisor
#include "bus/supervisor.hpp"

#include "base/unique_fd.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <stdlib.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using tunnel::bus::Supervisor;

namespace {

constexpr auto timeout = 300ms;

/// A service manager's end of NOTIFY_SOCKET (sd_notify(3)), in the environment as long as it lives.
class Manager {
 public:
  Manager() {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const auto path = (folder_ / "notify").string();
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error{"no socket to be notified at"};
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    const auto microseconds = std::chrono::microseconds{timeout}.count();
    ::setenv("WATCHDOG_USEC", std::to_string(microseconds).c_str(), 1);
  }
  ~Manager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
  }

  /// The lines that came since the last call.
  std::vector<std::string> heard() {
    std::vector<std::string> lines;
    char buffer[4096];
    for (;;) {
      const auto got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return lines;
      std::string_view text{buffer, static_cast<std::size_t>(got)};
      while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (end > 0) lines.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
      }
    }
  }

 private:
  tunnel::test::TemporaryFolder folder_;
  tunnel::UniqueFd socket_;
};

struct Daemon {
  /// Lets one more of the supervisor's turns happen.
  void turn() { io.run_one(); }

  tunnel::io::asio::io_context io;
  std::string trouble, status = "2 devices online, 1 sessions";
  Supervisor supervisor{
      io, {.trouble = [this] { return trouble; }, .status = [this] { return status; }}};
};

using Lines = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(that_it_is_ready_is_said_with_a_sentence_and_a_first_sign_of_life) {
  Manager manager;
  Daemon daemon;
  BOOST_TEST(manager.heard().empty());
  daemon.supervisor.ready();
  BOOST_TEST(
      manager.heard() == (Lines{"READY=1", "STATUS=2 devices online, 1 sessions", "WATCHDOG=1"}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(three_signs_of_life_come_in_each_timeout_and_the_sentence_when_it_changes) {
  Manager manager;
  Daemon daemon;
  const auto begun = tunnel::Clock::now();
  daemon.supervisor.ready();
  manager.heard();
  daemon.turn();
  BOOST_TEST(manager.heard() == Lines{"WATCHDOG=1"}, boost::test_tools::per_element());
  daemon.status = "nobody\nis here";
  daemon.turn();
  BOOST_TEST(manager.heard() == (Lines{"STATUS=nobody is here", "WATCHDOG=1"}),
             boost::test_tools::per_element());
  daemon.turn();
  BOOST_TEST(manager.heard() == Lines{"WATCHDOG=1"}, boost::test_tools::per_element());
  BOOST_CHECK(tunnel::Clock::now() - begun >= timeout);
}

BOOST_AUTO_TEST_CASE(a_daemon_whose_check_fails_gives_no_sign_of_life_but_says_why) {
  Manager manager;
  Daemon daemon;
  daemon.supervisor.ready();
  manager.heard();
  daemon.trouble = "cannot read the store";
  for (int i = 0; i < 4; ++i)
    daemon.turn();
  BOOST_TEST(manager.heard() == Lines{"STATUS=cannot read the store"},
             boost::test_tools::per_element());
  daemon.trouble.clear();
  daemon.turn();
  BOOST_TEST(manager.heard() == (Lines{"STATUS=2 devices online, 1 sessions", "WATCHDOG=1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_check_that_throws_is_one_that_fails) {
  Manager manager;
  tunnel::io::asio::io_context io;
  Supervisor supervisor{io,
                        {.trouble = []() -> std::string { throw std::runtime_error{"broken"}; },
                         .status = [] { return "well"; }}};
  supervisor.ready();
  BOOST_TEST(manager.heard() == (Lines{"READY=1", "STATUS=broken"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_that_stops_lives_until_its_end_whatever_is_gone_already) {
  Manager manager;
  Daemon daemon;
  daemon.supervisor.ready();
  manager.heard();
  daemon.trouble = "the system bus is gone";
  daemon.supervisor.stopping();
  BOOST_TEST(manager.heard() == (Lines{"STOPPING=1", "STATUS=stopping", "WATCHDOG=1"}),
             boost::test_tools::per_element());
  daemon.turn();
  BOOST_TEST(manager.heard() == Lines{},
             boost::test_tools::per_element());  // cancelled by the next
  daemon.turn();
  BOOST_TEST(manager.heard() == Lines{"WATCHDOG=1"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nobody_who_looks_after_us_is_nothing_to_do) {
  Daemon daemon;
  daemon.supervisor.ready();
  daemon.supervisor.stopping();
  BOOST_TEST(daemon.io.run() == 0U);
}
