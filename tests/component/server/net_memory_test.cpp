#define BOOST_TEST_MODULE net_memory
#include "net_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/wait.h>

#include <fstream>
#include <future>
#include <iostream>

// What 300 idle devices and some sessions cost the server: measured from outside, in a process that
// holds nothing but the server.

using namespace support;
using namespace std::chrono_literals;

namespace {

constexpr int devices = 300;
constexpr std::size_t bytes_per_device_max = 20 * 1024;  // DESIGN 7
constexpr int sessions = 20;
constexpr std::size_t bytes_per_session_max = 300 * 1024;
constexpr auto house_is_kept = 6s;  // longer than the server's house_period

/// A server in a child process; registers devices and hands their codes over, onsites first.
struct ServerProcess {
  explicit ServerProcess(int onsites, int masters = 0) {
    int out[2], in[2];
    if (::pipe(out) != 0 || ::pipe(in) != 0) throw PeerError{"cannot make pipes"};
    pid = ::fork();
    if (pid == 0) {
      ::close(out[0]);
      ::close(in[1]);
      be_server(out[1], in[0], onsites, masters);
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

  static void be_server(int out, int in, int onsites, int masters) {
    ServerFixture server;
    FILE* lines = ::fdopen(out, "w");
    std::fprintf(lines, "%d\n", server.port());
    for (int i = 0; i < onsites + masters; ++i) {
      const auto code = server.in_server([&](rdv::Server& s) {
        return s.control()
            .add_device(std::string{"d"}.append(std::to_string(i)),
                        i < onsites ? "onsite" : "master", {})
            .code;
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
  ServerProcess server{devices};
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

namespace {

/// A session whose onsite takes nothing while its master sends.
struct StuckSession {
  StuckSession(std::uint16_t port, const std::string& onsite_code, const std::string& master_code)
      : port_{port},
        onsite_device{enrol(port, onsite_code)},
        master_device{enrol(port, master_code)},
        onsite{port, onsite_device},
        master{port, master_device} {}

  void open() {
    const auto granted = open_session(master, onsite, onsite_device.identity.name);
    onsite_leg.emplace(port_, onsite_device, granted.grant, Cut::as_written);
    master_leg.emplace(port_, master_device, granted.grant, Cut::as_written);
    auto other = std::async(std::launch::async, [this] { onsite_leg->join(); });
    master_leg->join();
    other.get();
  }
  /// Until every buffer on the way is full.
  void fill() {
    const timeval short_time{0, 200'000};
    ::setsockopt(master_leg->outer().tls().tcp().fd(), SOL_SOCKET, SO_SNDTIMEO, &short_time,
                 sizeof short_time);
    BOOST_CHECK_THROW(master_leg->send(Bytes(64 << 20)), PeerError);
  }

  std::uint16_t port_;
  Device onsite_device, master_device;
  ControlPeer onsite, master;
  std::optional<LegPeer> onsite_leg, master_leg;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_session_costs_little_memory_whatever_its_receiver_does) {
  ServerProcess server{sessions, sessions};
  BOOST_TEST_REQUIRE(server.codes.size() == std::size_t{2} * sessions);
  std::vector<std::unique_ptr<StuckSession>> stuck;
  for (std::size_t i = 0; i < sessions; ++i)
    stuck.push_back(
        std::make_unique<StuckSession>(server.port, server.codes[i], server.codes[i + sessions]));
  std::this_thread::sleep_for(house_is_kept);
  const auto before = server.private_bytes();

  for (auto& session : stuck)
    session->open();
  for (auto& session : stuck)
    session->fill();
  const auto after = server.private_bytes();

  const auto per_session = (after - std::min(before, after)) / sessions;
  std::cout << "memory of the server: " << before / 1024 << " KiB without and " << after / 1024
            << " KiB with " << sessions << " stuck sessions: " << per_session << " bytes each"
            << std::endl;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  BOOST_TEST(per_session <= bytes_per_session_max);
#endif
}
