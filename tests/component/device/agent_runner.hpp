#pragma once
#include "agent/session_runner.hpp"
#include "component/device/agent_end.hpp"
#include "component/device/cli_harness.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

/// The agent's SessionRunner at both ends of a session, with a netd that hands out sockets in place
/// of TUN devices, and the test in place of the server: it says which epoch comes next.
namespace agent_test {

/// org.rdv.Netd1 on a bus of its own; its calls run on a thread of its own.
class FakeNetd {
 public:
  FakeNetd();
  ~FakeNetd();

  /// The kernel's side of the newest TUN of this role; it is then the caller's.
  tunnel::UniqueFd take_kernel(const std::string& role);
  int opened(), closed();

 private:
  device::test::PrivateBus bus_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IObject> object_;
  std::mutex mutex_;
  std::map<std::string, tunnel::UniqueFd> kernels_;
  int opened_ = 0, closed_ = 0;
};

/// One device's runner, its TUN's other side, and what it said.
class RunnerEnd {
 public:
  RunnerEnd(asio::io_context& io, const tunnel::test::World& world,
            const tunnel::test::World::Device& self, device::NetdClient& netd, FakeNetd& daemon,
            tcp::endpoint relay);

  /// @param grant  its epoch is the one to begin with
  void start(const wire::Grant& grant, tunnel::Clock::time_point ends);
  /// The agent is killed, and another one takes over its TUN, with nothing else. The old runner
  /// must be over: abort() it.
  void take_over(tunnel::UniqueFd tun, const wire::Grant& noted);
  void resume(const wire::Grant& grant) { runner_->resume(leg_plan(grant)); }
  device::SessionRunner& runner() { return *runner_; }

  /// Gives the TUN a packet, as the kernel would.
  bool give(ByteView packet);
  /// Everything that it was given, the agent has taken.
  bool has_read_all();
  /// The kernel's side of the TUN was closed by the agent.
  bool is_tun_closed() const { return tun_closed_; }

  std::vector<std::uint32_t> running;  ///< epochs, as they came up
  std::vector<std::uint32_t> lost;     ///< epochs, as they were reported
  std::optional<LegEnd> end;
  std::vector<Bytes> received;
  tcp::endpoint server;                   ///< where the next leg goes
  tunnel::Clock::time_point ends;         ///< the session's limit
  std::function<void()> on_lost = [] {};  ///< what the agent does: it interrupts the runner

 private:
  void begin(device::SessionRunner::Plan plan);
  device::SessionRunner::LegPlan leg_plan(const wire::Grant& grant);
  Task<> run();
  Task<> serve_kernel();
  Task<> report(std::uint32_t epoch);

  asio::io_context& io_;
  device::Identity identity_;
  device::NetdClient& netd_;
  FakeNetd& daemon_;
  asio::posix::stream_descriptor kernel_;
  std::optional<device::SessionRunner> runner_;
  bool tun_closed_ = false;
};

/// A session between two runners.
struct RunnerPair {
  RunnerPair();
  ~RunnerPair();

  /// Gives both ends the next epoch.
  void grant_next();
  /// @param limit  of running time
  bool run_until(const std::function<bool()>& done,
                 std::chrono::milliseconds limit = tunnel::test::patience);
  bool run_until_established();
  bool run_until_over();

  asio::io_context io{1};
  tunnel::test::World world;
  FakeNetd netd;
  tunnel::bus::AsioBus bus{io, ""};
  device::NetdClient client;
  Relay relay;
  wire::Grant grant;
  RunnerEnd master, onsite;
};

}  // namespace agent_test
