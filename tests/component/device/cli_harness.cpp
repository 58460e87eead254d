#include "component/device/cli_harness.hpp"

#include <sys/wait.h>

#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <stdexcept>
#include <stdlib.h>

namespace device::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  tunnel::UniqueFd read, write;
};

constexpr auto configuration = R"(<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
POLICY</policy></busconfig>)";

void replace(std::string& text, const std::string& what, const std::string& with) {
  text.replace(text.find(what), what.size(), with);
}

}  // namespace

Command::Command(const std::string& program, const std::vector<std::string>& arguments,
                 const std::string& input) {
  Pipe in, out, err;
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error{"no process"};
  if (pid_ == 0) {
    ::dup2(in.read.get(), STDIN_FILENO);
    ::dup2(out.write.get(), STDOUT_FILENO);
    ::dup2(err.write.get(), STDERR_FILENO);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  if (::write(in.write.get(), input.data(), input.size()) < 0) throw std::runtime_error{"no input"};
  out_ = std::move(out.read);
  err_ = std::move(err.read);
}

Command::~Command() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

/// @return false at the end of both outputs
bool Command::read_more() {
  pollfd fds[] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
  if (!out_ && !err_) return false;
  const auto wait = std::chrono::milliseconds{patience}.count();
  if (::poll(fds, 2, static_cast<int>(wait)) <= 0)
    throw std::runtime_error{"a command said nothing for too long; so far: " + output_ +
                             complaints_};
  const auto take = [](const pollfd& fd, tunnel::UniqueFd& source, std::string& into) {
    if (fd.revents == 0) return;
    char buffer[4096];
    const auto n = ::read(source.get(), buffer, sizeof buffer);
    if (n <= 0)
      source.reset();
    else
      into.append(buffer, static_cast<std::size_t>(n));
  };
  take(fds[0], out_, output_);
  take(fds[1], err_, complaints_);
  return true;
}

std::optional<std::string> Command::line() {
  for (;;) {
    if (const auto end = output_.find('\n'); end != std::string::npos) {
      auto line = output_.substr(0, end);
      output_.erase(0, end + 1);
      return line;
    }
    if (!out_ || !read_more()) return std::nullopt;
  }
}

int Command::exit_code() {
  while (read_more()) {
  }
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Command::send(int signal) const {
  ::kill(pid_, signal);
}

PrivateBus::PrivateBus(const std::string& policy) {
  const auto address = "unix:path=" + (folder_ / "bus").string();
  std::string text = configuration;
  replace(text, "unix:path=SOCKET", address);
  replace(text, "POLICY", policy);
  std::ofstream{folder_ / "bus.conf"} << text;
  daemon_ = std::make_unique<Command>(
      "/usr/bin/dbus-daemon",
      std::vector<std::string>{"--config-file=" + (folder_ / "bus.conf").string(), "--nofork",
                               "--nopidfile", "--print-address"});
  if (!daemon_->line()) throw std::runtime_error{"dbus-daemon did not start"};
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1);
}

ScriptedAgent::ScriptedAgent(sdbus::IConnection& connection)
    : AdaptorInterfaces(connection, "/org/rdv/Device1") {
  registerAdaptor();
}

ScriptedAgent::~ScriptedAgent() {
  unregisterAdaptor();
}

Device::Device(const std::string& policy) : bus{policy} {
  start_agent();
}

void Device::start_agent(const std::function<void(ScriptedAgent&)>& prepare) {
  connection = sdbus::createSystemBusConnection();
  agent = std::make_unique<ScriptedAgent>(*connection);
  if (prepare) prepare(*agent);
  connection->requestName("org.rdv.Device1");
  connection->enterEventLoopAsync();
}

void Device::stop_agent() {
  connection->leaveEventLoop();
  agent.reset();
  connection.reset();
}

}  // namespace device::test
