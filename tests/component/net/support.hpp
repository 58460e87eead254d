#pragma once
#include "support/network_namespace.hpp"
#include "support/patience.hpp"

#include <functional>
#include <string>

/// What the tests of libtunnel/net share. They run as root in a network namespace of their own
/// (main.cpp).
namespace tunnel::net::test {

/// Output of a shell command, both streams; a failure of it fails the test.
std::string run(const std::string& command);
/// Whether a shell command succeeds.
bool succeeds(const std::string& command);

bool contains(const std::string& text, const std::string& part);

/// Everything our types could touch in this namespace: links, addresses, rules, routes, nft,
/// sysctls.
std::string snapshot();
/// Lines that are not in both, marked + (now) and - (before); "" when everything is, or eventually
/// becomes, as in that snapshot.
std::string changes_since(const std::string& before);

using tunnel::test::eventually;
using tunnel::test::patience;

/// A pair of virtual Ethernet ports, up and used by the kernel, without IPv6 addresses (their state
/// would change with time).
struct VethPair {
  /// @param a, b  names of the ports; both in this namespace
  VethPair(const std::string& a, const std::string& b);
  ~VethPair();
  VethPair(VethPair&&) = delete;

  std::string name;
};

/// Another network namespace, as long as this object.
class Namespace {
 public:
  pid_t pid() const noexcept { return held_.pid(); }
  std::string run(const std::string& command) const;
  bool succeeds(const std::string& command) const;
  /// Brings a link of this namespace over there, up, with that address.
  void take(const std::string& link, const std::string& address) const;

 private:
  std::string inside(const std::string& command) const;
  tunnel::test::NetworkNamespace held_;
};

/// Runs `work` in a child process, which is killed with SIGKILL as soon as it has returned: no
/// destructor runs.
void run_and_kill(const std::function<void()>& work);
/// Runs `work` in a child process of an unprivileged user with CAP_NET_ADMIN; fails the test when
/// it throws.
void run_unprivileged(const std::function<void()>& work);

/// What the NetError says that `work` throws; fails the test when there is none.
std::string refusal(const std::function<void()>& work);

}  // namespace tunnel::net::test
