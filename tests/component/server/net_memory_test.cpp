#define BOOST_TEST_MODULE net_memory
#include "net_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/wait.h>

#include <fstream>
#include <iostream>

// What 300 idle devices cost the server: measured from outside, in a process that holds nothing but
// the server.

using namespace support;
using namespace std::chrono_literals;

namespace {

constexpr int devices = 300;
constexpr std::size_t bytes_per_device_max = 20 * 1024;  // DESIGN 7
constexpr auto house_is_kept = 6s;                       // longer than the server's house_period

/// A server in a child process; registers the devices and hands their codes over.
struct ServerProcess {
  ServerProcess() {
    int out[2], in[2];
    if (::pipe(out) != 0 || ::pipe(in) != 0) throw PeerError{"cannot make pipes"};
    pid = ::fork();
    if (pid == 0) {
      ::close(out[0]);
      ::close(in[1]);
      be_server(out[1], in[0]);
      std::_Exit(0);
    }
    ::close(out[1]);
    ::close(in[0]);
    stop.reset(in[1]);
    FILE* lines = ::fdopen(out[0], "r");
    char line[512];
    while (std::fgets(line, sizeof line, lines) != nullptr) {
      std::string text{line};
      text.pop_back();
      if (port == 0)
        port = static_cast<std::uint16_t>(std::stoi(text));
      else
        codes.push_back(text);
    }
    std::fclose(lines);
  }
  ~ServerProcess() {
    stop.reset();
    ::waitpid(pid, nullptr, 0);
  }

  static void be_server(int out, int in) {
    ServerFixture server;
    FILE* lines = ::fdopen(out, "w");
    std::fprintf(lines, "%d\n", server.port());
    for (int i = 0; i < devices; ++i) {
      const auto code = server.in_server([&](rdv::Server& s) {
        return s.control().add_device("o" + std::to_string(i), "onsite", {}).code;
      });
      std::fprintf(lines, "%s\n", code.c_str());
    }
    std::fclose(lines);
    char byte;
    (void)!::read(in, &byte, 1);  // until the test has ended
  }

  /// Memory that is the process's own (proc(5), smaps_rollup).
  std::size_t private_bytes() const {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
    std::size_t sum = 0, kilobytes = 0;
    for (std::string word; file >> word;)
      if ((word == "Private_Dirty:" || word == "Private_Clean:") && file >> kilobytes)
        sum += kilobytes * 1024;
    return sum;
  }

  pid_t pid = 0;
  tunnel::UniqueFd stop;
  std::uint16_t port = 0;
  std::vector<std::string> codes;
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_idle_device_costs_little_memory) {
  ServerProcess server;
  BOOST_TEST_REQUIRE(server.codes.size() == static_cast<std::size_t>(devices));
  std::vector<std::unique_ptr<Device>> known;
  for (const auto& code : server.codes)
    known.push_back(std::make_unique<Device>(enrol(server.port, code)));
  std::this_thread::sleep_for(house_is_kept);
  const auto before = server.private_bytes();

  std::vector<std::unique_ptr<ControlPeer>> peers;
  for (const auto& device : known)
    peers.push_back(std::make_unique<ControlPeer>(server.port, *device));
  std::this_thread::sleep_for(house_is_kept);
  const auto after = server.private_bytes();

  const auto per_device = (after - std::min(before, after)) / devices;
  std::cout << "memory of the server: " << before / 1024 << " KiB without and " << after / 1024
            << " KiB with " << devices << " idle devices: " << per_device << " bytes each"
            << std::endl;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  BOOST_TEST(per_device <= bytes_per_device_max);
#endif
  peers.front()->send(wire::Ping{.token = 9});
  BOOST_TEST(peers.front()->expect<wire::Pong>().token == 9U);
}
