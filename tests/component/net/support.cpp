#include "component/net/support.hpp"

#include "net/net_error.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <exception>
#include <grp.h>
#include <signal.h>
#include <unistd.h>

namespace tunnel::net::test {
namespace {

constexpr unsigned nobody = 65534;

struct Finished {
  std::string output;
  int status;
};

Finished execute(const std::string& command) {
  Finished result{{}, -1};
  std::array<char, 4096> bytes{};
  FILE* pipe = ::popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  while (const auto count = std::fread(bytes.data(), 1, bytes.size(), pipe))
    result.output.append(bytes.data(), count);
  result.status = ::pclose(pipe);
  return result;
}

void give_up_root_but_net_admin() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> caps{};
  caps[0].permitted = caps[0].effective = 1U << CAP_NET_ADMIN;
  if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || ::setgroups(0, nullptr) != 0 ||
      ::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0 ||
      ::syscall(SYS_capset, &header, caps.data()) != 0)
    ::_exit(2);
}

}  // namespace

std::string run(const std::string& command) {
  const auto result = execute(command);
  BOOST_REQUIRE_MESSAGE(result.status == 0, command << " failed:\n" << result.output);
  return result.output;
}

bool succeeds(const std::string& command) {
  return execute(command).status == 0;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string snapshot() {
  return run(
      "{ ip -d link; ip -d addr; ip -d rule; ip -d route show table all; } |"
      "sed -E 's/NO-CARRIER,|,LOWER_UP|,M-DOWN| linkdown| state [A-Z]+//g';"
      "nft list ruleset; grep -rs . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf | sort");
}

std::string changes_since(const std::string& before) {
  std::string now;
  if (eventually([&] { return (now = snapshot()) == before; })) return {};
  const auto text = tunnel::test::line_changes(before, now);
  return text.empty() ? "another order:\n" + before + "\n---\n" + now : text;
}

VethPair::VethPair(const std::string& a, const std::string& b) : name{a} {
  run(
      fmt::format("ip link add {0} type veth peer name {1} && ip link set {0} up &&"
                  "ip link set {1} up",
                  a, b));
  // The kernel tells later of a carrier: until then the first has no queue, and drops.
  BOOST_REQUIRE(eventually([&] {
    return succeeds(fmt::format(
        "ip -o link show {} | grep 'state UP' && ip -o link show {} | grep 'state UP'", a, b));
  }));
}

VethPair::~VethPair() {
  succeeds("ip link del " + name);
}

std::string Namespace::inside(const std::string& command) const {
  return fmt::format("nsenter -t {} -n sh -c '{}'", pid(), command);
}

std::string Namespace::run(const std::string& command) const {
  return test::run(inside(command));
}

bool Namespace::succeeds(const std::string& command) const {
  return test::succeeds(inside(command));
}

void Namespace::take(const std::string& link, const std::string& address) const {
  test::run(fmt::format("ip link set {} netns {}", link, pid()));
  run(fmt::format("ip addr add {1} dev {0} && ip link set {0} up", link, address));
}

void run_and_kill(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  BOOST_REQUIRE(pid >= 0);
  if (pid == 0) {
    try {
      work();
      ::kill(::getpid(), SIGKILL);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(1);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  BOOST_REQUIRE_MESSAGE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                        "the child failed before it was killed");
}

void run_unprivileged(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  BOOST_REQUIRE(pid >= 0);
  if (pid == 0) {
    give_up_root_but_net_admin();
    try {
      work();
      ::_exit(0);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(1);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  BOOST_TEST(status == 0);
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const NetError& e) {
    return e.what();
  }
  BOOST_ERROR("it should have been refused");
  return {};
}

}  // namespace tunnel::net::test
