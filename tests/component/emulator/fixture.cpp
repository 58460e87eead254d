#include "component/emulator/fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

namespace emulator::test {
namespace {

using namespace std::chrono_literals;
using tunnel::Clock;
using tunnel::test::eventually;

constexpr std::size_t header_bytes = 14;
constexpr std::array<std::byte, 2> type_of_experiments{std::byte{0x88},
                                                       std::byte{0xb5}};  // IEEE 802

std::filesystem::path lay_links() {
  for (const std::string link : {"site", "net"})
    run("ip link del " + link + " 2>/dev/null || true");
  run("ip link add site type veth peer name near && ip link add far type veth peer name net");
  run("for l in site near far net; do ip link set $l up; done");
  // The kernel tells later of a carrier, and drops until then what the first of a pair sends.
  const auto is_up = "[ $(ip -o link show up | grep -c 'state UP') = 4 ]";
  BOOST_REQUIRE(eventually([&] { return std::system(is_up) == 0; }));
  auto path = std::filesystem::temp_directory_path() / ("rdv-link-" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  return path;
}

bool is_ours(const Frame& frame) {
  return frame.bytes >= header_bytes && frame.ethernet[12] == type_of_experiments[0] &&
         frame.ethernet[13] == type_of_experiments[1];
}

}  // namespace

void run(const std::string& command) {
  BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
}

Program::Program(const std::vector<std::string>& arguments) : pid_{::fork()} {
  BOOST_REQUIRE(pid_ >= 0);
  if (pid_ != 0) return;
  std::vector<char*> argv{const_cast<char*>(RDV_LAB_LINK)};
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

Program::~Program() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Program::terminate() const {
  ::kill(pid_, SIGTERM);
}

int Program::wait() {
  int status = 0;
  if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Client::Client(const std::filesystem::path& control)
    : fd_{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)} {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, control.c_str(), sizeof address.sun_path - 1);
  const timeval limit{.tv_sec = tunnel::test::patience.count()};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  BOOST_REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
}

std::optional<nlohmann::json> Client::ask(const std::string& request) const {
  ::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::array<char, 65536> answer;
  ssize_t got = 0;
  do  // interrupted: it was stopped meanwhile (signal(7), "Interruption ... by stop signals")
    got = ::recv(fd_.get(), answer.data(), answer.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return std::nullopt;
  return nlohmann::json::parse(answer.data(), answer.data() + got);
}

Fixture::Fixture()
    : control{lay_links()}, program{{"near", "far", control.string()}}, site{"site"}, net{"net"} {
  BOOST_REQUIRE(eventually([&] { return std::filesystem::exists(control); }));
}

Fixture::~Fixture() {
  std::error_code ignored;
  std::filesystem::remove(control, ignored);
}

nlohmann::json Fixture::set(const std::string& request) const {
  auto answer = Client{control}.ask(request);
  BOOST_REQUIRE(answer.has_value());
  BOOST_REQUIRE_MESSAGE(!answer->contains("error"), answer->dump());
  return *answer;
}

void send(PacketPort& port, std::size_t bytes, std::uint8_t mark) {
  auto frame = std::make_unique<Frame>();
  frame->bytes = bytes;
  frame->ethernet.fill(std::byte{0xff});  // to everybody, from nobody
  std::copy(type_of_experiments.begin(), type_of_experiments.end(), frame->ethernet.begin() + 12);
  frame->ethernet[bytes - 1] = std::byte{mark};
  port.send({&frame, 1});
}

std::vector<Received> receive(PacketPort& port, std::size_t count,
                              std::chrono::milliseconds limit) {
  std::vector<Received> received;
  const auto end = Clock::now() + limit;
  while (received.size() < count) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left <= 0ms) break;
    pollfd readable{.fd = port.fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, static_cast<int>(left.count()));
    port.receive([&](FramePtr frame, Clock::time_point arrived) {
      if (is_ours(*frame)) received.push_back({std::move(frame), arrived});
    });
  }
  return received;
}

}  // namespace emulator::test
