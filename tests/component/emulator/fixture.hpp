#pragma once
#include "base/unique_fd.hpp"
#include "emulator/packet_port.hpp"
#include "support/patience.hpp"

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// Needs root: the tests run in a network namespace of their own.
namespace emulator::test {

/// The program itself, running; killed with this object at the latest.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();
  Program(Program&&) = delete;

  void terminate() const;
  /// Its exit code, once it has ended by itself; -1 when it does not.
  int wait();

 private:
  pid_t pid_;
};

/// A connection to the control socket.
class Client {
 public:
  explicit Client(const std::filesystem::path& control);
  /// What the program answers; nullopt: it has closed the connection.
  std::optional<nlohmann::json> ask(const std::string& request) const;

 private:
  tunnel::UniqueFd fd_;
};

struct Received {
  FramePtr frame;
  tunnel::Clock::time_point arrived;
};

/// A cable between the links `site` and `net` of this namespace:
/// site -- near ~ program ~ far -- net.
struct Fixture {
  Fixture();
  ~Fixture();

  /// Asks, and expects settings and counters as the answer.
  nlohmann::json set(const std::string& request) const;

  std::filesystem::path control;
  Program program;
  PacketPort site;
  PacketPort net;
};

/// Sends one frame of `bytes`, marked by its last byte; its type is one for experiments.
void send(PacketPort& port, std::size_t bytes, std::uint8_t mark = 0);
/// Our frames that come within `limit`, at most `count` of them.
std::vector<Received> receive(PacketPort& port, std::size_t count,
                              std::chrono::milliseconds limit = tunnel::test::patience);
/// Runs a shell command; a failure of it fails the test.
void run(const std::string& command);

}  // namespace emulator::test
