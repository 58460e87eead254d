#pragma once
#include "base/unique_fd.hpp"
#include "org.rdv.Device1_adaptor.hpp"
#include "support/patience.hpp"
#include "support/temporary_folder.hpp"

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

/// The three things a test of the device's commands needs: a bus, an agent that does as it is told,
/// a real command.
namespace device::test {

using Facts = std::map<std::string, sdbus::Variant>;

using tunnel::test::patience;

/// A child process whose standard output and error are read line by line. Killed when it is still
/// there at the end.
class Command {
 public:
  Command(const std::string& program, const std::vector<std::string>& arguments,
          const std::string& input = "");
  ~Command();
  Command(Command&&) = delete;

  /// The next whole line of standard output, without its end; nothing at the end of the output.
  std::optional<std::string> line();
  /// Waits for the end and answers the exit code; 128 + signal when one killed it.
  int exit_code();
  /// What was written to standard error; after exit_code().
  const std::string& complaints() const { return complaints_; }
  /// What was written to standard output and not read by line(); after exit_code().
  const std::string& rest() const { return output_; }
  void send(int signal) const;
  /// Nobody reads its standard output any more.
  void hang_up() { out_.reset(); }

 private:
  bool read_more();

  pid_t pid_ = -1;
  tunnel::UniqueFd out_, err_;
  std::string output_, complaints_;
};

/// A bus of our own. Every process started after it uses it as the system bus.
class PrivateBus {
 public:
  /// @param policy  XML within <policy context="default">, after everything was allowed
  explicit PrivateBus(const std::string& policy = "");

 private:
  tunnel::test::TemporaryFolder folder_;
  std::unique_ptr<Command> daemon_;
};

/// org.rdv.Device1 as the test wants it. Handlers run on the bus' thread.
class ScriptedAgent : public sdbus::AdaptorInterfaces<org::rdv::Device1_adaptor> {
 public:
  explicit ScriptedAgent(sdbus::IConnection& connection);
  ~ScriptedAgent();

  // What it is; set before a command asks.
  std::string name = "rpi2000", role = "master", server = "203.0.113.10:443";
  bool connected = true;
  std::string uplink;
  std::string port_address = "192.168.38.225/29";
  // What it does.
  std::function<std::vector<Facts>()> on_list = [] { return std::vector<Facts>{}; };
  std::function<std::vector<Facts>()> on_ports = [] { return std::vector<Facts>{}; };
  std::function<std::uint64_t(const std::string&, const Facts&)> on_open;
  std::function<std::uint64_t(const std::string&)> on_hold =
      [](const std::string&) -> std::uint64_t {
    throw sdbus::Error{"org.rdv.Error.NotFound", "there is no such session"};
  };
  std::function<void(std::uint64_t, const std::string&)> on_close;
  std::function<std::uint64_t(const std::string&)> on_switch;
  std::function<void()> on_confirm;
  std::function<std::vector<Facts>()> on_sessions = [] { return std::vector<Facts>{}; };
  std::function<std::tuple<std::string, std::string, std::string>(const std::string&)> on_enroll;

  void say(std::uint64_t id, const std::string& state, const Facts& details) {
    emitSessionChanged(id, state, details);
  }

 private:
  void Enroll(sdbus::Result<std::string, std::string, std::string>&& result,
              std::string code) override {
    answer(result, [&] {
      const auto [as_name, as_role, of_system] = on_enroll(code);
      result.returnResults(as_name, as_role, of_system);
    });
  }
  void List(sdbus::Result<std::vector<Facts>>&& result) override {
    answer(result, [&] { result.returnResults(on_list()); });
  }
  void Ports(sdbus::Result<std::vector<Facts>>&& result) override {
    answer(result, [&] { result.returnResults(on_ports()); });
  }
  void FixUplink(sdbus::Result<>&& result, std::string interface) override {
    answer(result, [&] {
      uplink = std::move(interface);
      result.returnResults();
    });
  }
  /// What a handler throws is the answer.
  template <class Result, class Work>
  static void answer(const Result& result, Work work) {
    try {
      work();
    } catch (const sdbus::Error& error) {
      result.returnError(error);
    }
  }
  std::uint64_t Open(const std::string& onsite, const Facts& options) override {
    return on_open(onsite, options);
  }
  void Hold(sdbus::Result<std::uint64_t>&& result, std::string session) override {
    answer(result, [&] { result.returnResults(on_hold(session)); });
  }
  void Close(const std::uint64_t& id, const std::string& reason) override { on_close(id, reason); }
  std::uint64_t SwitchMode(const std::string& mode) override { return on_switch(mode); }
  void ConfirmMode() override { on_confirm(); }
  std::vector<Facts> Sessions() override { return on_sessions(); }
  std::string Name() override { return name; }
  std::string Role() override { return role; }
  std::string System() override { return name.empty() ? "" : "default"; }
  std::string Server() override { return server; }
  bool Connected() override { return connected; }
  std::string Status() override { return "connected since 2026-01-14 09:00 UTC"; }
  std::string Version() override { return "0.1.0"; }
  std::string Uplink() override { return uplink; }
  bool UplinkFixed() override { return !uplink.empty(); }
  std::string PortAddress() override { return port_address; }
};

/// The bus, the agent on it and the agent's thread.
struct Device {
  explicit Device(const std::string& policy = "");
  /// The agent's process dies.
  void stop_agent();
  /// Another one takes its place, with handlers of its own.
  /// @param prepare  gives it them before anybody can ask
  void start_agent(const std::function<void(ScriptedAgent&)>& prepare = {});

  PrivateBus bus;
  std::unique_ptr<sdbus::IConnection> connection;
  std::unique_ptr<ScriptedAgent> agent;
};

}  // namespace device::test
