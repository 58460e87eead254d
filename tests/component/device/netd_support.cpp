#include "netd_support.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <thread>
#include <unistd.h>

namespace netd_test {
namespace {

/// Forks; the child enters `netns` (if any) and dies with us.
pid_t spawn(int netns, int output, const std::vector<std::string>& argv,
            const std::vector<std::string>& environment) {
  std::vector<char*> words, variables;
  for (const auto& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.push_back(*variable);
  for (const auto& line : environment)
    variables.push_back(const_cast<char*>(line.c_str()));
  variables.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (netns >= 0 && ::setns(netns, CLONE_NEWNET) != 0) ::_exit(126);
  if (output >= 0) {
    ::dup2(output, 1);
    ::dup2(output, 2);
  }
  ::execvpe(words[0], words.data(), variables.data());
  ::_exit(127);
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t n; (n = ::read(fd, chunk.data(), chunk.size())) > 0;)
    text.append(chunk.data(), static_cast<std::size_t>(n));
  return text;
}

int exit_code(int status) {
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Whether somebody listens on that Unix socket.
bool accepts(const std::string& path) {
  const tunnel::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

bool until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

Said until_nothing(const std::function<std::string()>& differs) {
  std::string text;
  Said result{until([&] { return (text = differs()).empty(); })};
  result.message() << text;
  return result;
}

Output Host::run(const std::string& command) const {
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t pid = spawn(netns(), ends[1], {"sh", "-c", command}, {});
  ::close(ends[1]);
  Output output;
  output.text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  output.code = exit_code(status);
  return output;
}

std::string Host::must(const std::string& command) const {
  const auto output = run(command);
  BOOST_REQUIRE_MESSAGE(output.code == 0, command << ": " << output.text);
  return output.text;
}

pid_t Host::start(const std::vector<std::string>& argv,
                  const std::vector<std::string>& environment) const {
  return spawn(netns(), -1, argv, environment);
}

void Host::enter(const std::function<void()>& work) const {
  std::thread{[&] {
    if (::setns(netns(), CLONE_NEWNET) == 0) work();
  }}.join();
}

std::vector<pid_t> Host::processes(const std::string& name) const {
  struct stat here {
  }, there{};
  ::fstat(netns(), &here);
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream comm{entry.path() / "comm"};
    std::string line;
    if (!std::getline(comm, line) || line != name) continue;
    if (::stat((entry.path() / "ns/net").c_str(), &there) != 0 || there.st_ino != here.st_ino)
      continue;
    found.push_back(std::stoi(pid));
  }
  return found;
}

std::string Host::snapshot() const {
  auto text = run("ip -o link | sed 's/ qlen [0-9]*//'; ip -4 -o addr; ip rule; ip -4 route show "
                  "table all; "
                  "nft list ruleset; cd /proc/sys/net/ipv4/conf && grep -H . */forwarding "
                  "*/rp_filter */accept_local")
                  .text;
  for (const pid_t pid : processes("dnsmasq"))
    text += fmt::format("dnsmasq {}\n", pid);
  return text;
}

Said Host::is_again(const std::string& before) const {
  return until_nothing([&] { return line_changes(before, snapshot()); });
}

void cable(const Host& a, const std::string& link_a, const Host& b, const std::string& link_b) {
  a.must(fmt::format("ip link add {} type veth peer name {} netns {}", link_a, link_b, b.pid()));
  b.must("ip link set " + link_b + " up");
  a.must("ip link set " + link_a + " up");
  // The kernel notices carrier a little later; a snapshot before that would differ by itself.
  const auto settled = [](const Host& host, const std::string& link) {
    return host.run("ip -o link show " + link).text.find("state UP") != std::string::npos;
  };
  BOOST_REQUIRE(until([&] { return settled(a, link_a) && settled(b, link_b); }));
}

int end_process(pid_t pid, int signal) {
  ::kill(pid, signal);
  return wait_process(pid);
}

int wait_process(pid_t pid) {
  int status = 0;
  const bool ended = until([&] { return ::waitpid(pid, &status, WNOHANG) != 0; });
  if (!ended) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    BOOST_ERROR("process " << pid << " did not end");
  }
  return exit_code(status);
}

Bus::Bus() : address_{"unix:path=" + folder_ / "bus"} {
  std::ifstream in{NETD_POLICY};
  const std::string policy{std::istreambuf_iterator<char>{in}, {}};
  std::ofstream{folder_ / "netd.conf"}
      << replaced(replaced(policy, "\"rdv-netd\"", "\"nobody\""), "\"rdv-tundev\"", "\"daemon\"");
  std::ofstream{folder_ / "bus.conf"} << fmt::format(R"(<busconfig><type>system</type>
<listen>{0}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>
<include>{1}</include></busconfig>)",
                                                     address_, folder_ / "netd.conf");
  pid_ =
      spawn(-1, -1,
            {"dbus-daemon", "--nofork", "--nosyslog", "--config-file=" + folder_ / "bus.conf"}, {});
  BOOST_REQUIRE(until([&] { return accepts(folder_ / "bus"); }));
}

Bus::~Bus() {
  kill();
}

void Bus::kill() {
  if (pid_ > 0) end_process(std::exchange(pid_, -1), SIGKILL);
}

Client::Client(const Bus& bus)
    : ProxyInterfaces{sdbus::createSessionBusConnectionWithAddress(bus.address()), "org.rdv.Netd1",
                      "/org/rdv/Netd1"} {
  registerProxy();
}

Client::~Client() {
  unregisterProxy();
}

std::string Client::wait_added() {
  std::unique_lock lock{mutex_};
  BOOST_REQUIRE_MESSAGE(came_.wait_for(lock, patience, [&] { return !added_.empty(); }),
                        "no InterfaceAdded");
  const auto name = added_.front();
  added_.erase(added_.begin());
  return name;
}

Client::Removed Client::wait_removed() {
  std::unique_lock lock{mutex_};
  BOOST_REQUIRE_MESSAGE(came_.wait_for(lock, patience, [&] { return !removed_.empty(); }),
                        "no InterfaceRemoved");
  const auto removed = removed_.front();
  removed_.erase(removed_.begin());
  return removed;
}

bool Client::wait_uplink_changed() {
  std::unique_lock lock{mutex_};
  const bool came = came_.wait_for(lock, patience, [&] { return uplink_changed_ > 0; });
  uplink_changed_ = 0;
  return came;
}

void Client::onInterfaceAdded(const std::string& name, const std::string&, const std::string&) {
  const std::lock_guard lock{mutex_};
  added_.push_back(name);
  came_.notify_all();
}

void Client::onInterfaceRemoved(const std::string& name, const std::string& reason) {
  const std::lock_guard lock{mutex_};
  removed_.push_back({name, reason});
  came_.notify_all();
}

void Client::onUplinkChanged() {
  const std::lock_guard lock{mutex_};
  ++uplink_changed_;
  came_.notify_all();
}

Daemon::Daemon(const Host& host, const Bus& bus, const Folder& folder, const std::string& config) {
  std::ofstream{folder / "device.toml"}
      << fmt::format("runtime_dir = \"{}\"\nresolv_conf = \"{}\"\n{}\n", folder / "run",
                     folder / "resolv.conf", config);
  // The device node as udev leaves it (0666), which a container may have otherwise.
  const auto tun = folder / "tun";
  if (::mknod(tun.c_str(), S_IFCHR | 0666, ::makedev(10, 200)) == 0) ::chmod(tun.c_str(), 0666);
  const std::string caps = "-all,+net_admin,+net_raw,+net_bind_service";
  pid_ = host.start({"unshare", "--mount", "sh", "-c",
                     "mount --bind " + tun + R"( /dev/net/tun && exec "$0" "$@")", "setpriv",
                     "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs",
                     "--pdeathsig=KILL", "--inh-caps=" + caps, "--ambient-caps=" + caps,
                     "--bounding-set=" + caps, NETD_PROGRAM, "--config", folder / "device.toml"},
                    {"DBUS_SYSTEM_BUS_ADDRESS=" + bus.address()});
  const auto listening = [&] {
    return host.run("busctl --address='" + bus.address() +
                    "' list --no-legend | grep -q '^org.rdv.Netd1 '")
               .code == 0;
  };
  BOOST_REQUIRE(until(listening));
}

Daemon::~Daemon() {
  if (pid_ > 0) stop();
}

int Daemon::stop() {
  return end_process(std::exchange(pid_, -1), SIGTERM);
}

void Daemon::kill() {
  end_process(std::exchange(pid_, -1), SIGKILL);
}

int Daemon::wait() {
  return wait_process(std::exchange(pid_, -1));
}

Setup master_setup(std::vector<std::string> dns) {
  return {{"role", std::string{"master"}},
          {"tunnel", std::string{tunnel_prefix}},
          {"dns", std::move(dns)}};
}

Setup onsite_setup(const Allow& allow, std::vector<std::string> deny) {
  return {{"role", std::string{"onsite"}},
          {"tunnel", std::string{tunnel_prefix}},
          {"allow", allow},
          {"deny", std::move(deny)}};
}

void hold_session(const char* address, const Setup& setup, const std::vector<std::uint8_t>& note,
                  const char* noted) {
  constexpr std::uint64_t session = 7;
  auto connection = sdbus::createSessionBusConnectionWithAddress(address);
  auto proxy = sdbus::createProxy(*connection, "org.rdv.Netd1", "/org/rdv/Netd1");
  proxy->finishRegistration();
  std::tuple<sdbus::UnixFd, std::string> opened;
  proxy->callMethod("OpenSession")
      .onInterface("org.rdv.Netd1")
      .withArguments(session, setup)
      .storeResultsTo(opened);
  if (!note.empty())
    proxy->callMethod("LeaveNote").onInterface("org.rdv.Netd1").withArguments(session, note);
  if (noted != nullptr) const tunnel::UniqueFd made{::creat(noted, 0600)};
  for (;;)
    ::pause();
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
    return "";
  } catch (const sdbus::Error& error) {
    BOOST_TEST_MESSAGE(error.what());
    return error.getName();
  }
}

bool get_lease(const Host& laptop, const std::string& link, const Folder& folder) {
  const auto script = folder / "udhcpc.sh";
  std::ofstream{script} << R"(#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router"
echo "ip=$ip mask=$mask router=$router dns=$dns lease=$lease"
)";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const auto output =
      laptop.run(fmt::format("udhcpc -f -n -q -t 10 -T 1 -i {} -s {}", link, script));
  BOOST_TEST_MESSAGE(output.text);
  return output.code == 0 &&
         output.text.find("router=192.168.38.225 dns=192.168.38.225") != std::string::npos;
}

}  // namespace netd_test
