#pragma once
#include "base/unique_fd.hpp"
#include "org.rdv.Netd1_proxy.hpp"
#include "support/network_namespace.hpp"
#include "support/patience.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/tools/assertion_result.hpp>
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

/// What the component tests of tundev-netd share: hosts, a bus, the daemon, and a client in the
/// agent's place.
namespace netd_test {

using namespace std::chrono_literals;
using tunnel::test::patience;

/// Waits until `condition` holds, at most `limit`; a test that waits for the kernel waits like
/// this.
/// @return whether it held
bool until(const std::function<bool()>& condition, std::chrono::milliseconds limit = patience);

/// Whether something is as a test wants it, and how it is otherwise.
using Said = boost::test_tools::assertion_result;

/// Asks until nothing differs any more.
/// @param differs  says how it is when that is not as wanted, "" when it is
Said until_nothing(const std::function<std::string()>& differs);

struct Output {
  int code = 0;
  std::string text;  ///< both streams
};

/// One machine: a network namespace.
class Host {
 public:
  pid_t pid() const noexcept { return namespace_.pid(); }
  int netns() const noexcept { return namespace_.fd(); }
  /// Runs a shell command here.
  Output run(const std::string& command) const;
  /// The same; a failure fails the test.
  std::string must(const std::string& command) const;
  /// Starts a program here that dies with us.
  pid_t start(const std::vector<std::string>& argv,
              const std::vector<std::string>& environment = {}) const;
  /// Runs `work` in a thread that is here: a socket made by it stays here.
  void enter(const std::function<void()>& work) const;
  /// The pids of the processes of that name here.
  std::vector<pid_t> processes(const std::string& name) const;
  /// All of it that netd could touch: links, addresses, rules, routes, nft, sysctls, dnsmasq.
  std::string snapshot() const;
  /// Whether it is again as a snapshot has it, or comes to be: the kernel tells of carrier late.
  Said is_again(const std::string& before) const;

 private:
  tunnel::test::NetworkNamespace namespace_;
};

/// Of two snapshots.
using tunnel::test::line_changes;

/// Lays a cable: a veth pair, both ends up. The end at `a` is what tests unplug by deleting it.
void cable(const Host& a, const std::string& link_a, const Host& b, const std::string& link_b);

/// A folder that is gone with this object.
class Folder {
 public:
  Folder() { std::filesystem::permissions(folder_.path(), std::filesystem::perms::all); }
  std::string operator/(const std::string& name) const { return (folder_ / name).string(); }

 private:
  tunnel::test::TemporaryFolder folder_;
};

/// Ends a process and waits for it.
/// @return its exit code, or minus the signal that ended it
int end_process(pid_t pid, int signal);
/// Waits for a process, at most 5 s.
int wait_process(pid_t pid);

/// A D-Bus daemon with netd's real policy, in which user `nobody` stands for rdv-netd and `daemon`
/// for rdv-tundev.
class Bus {
 public:
  Bus();
  ~Bus();
  const std::string& address() const { return address_; }
  void kill();

 private:
  Folder folder_;
  std::string address_;
  pid_t pid_;
};

/// A connection in the agent's place. Its signals are collected.
class Client final : public sdbus::ProxyInterfaces<org::rdv::Netd1_proxy> {
 public:
  struct Removed {
    std::string name, reason;
  };
  explicit Client(const Bus& bus);
  ~Client();

  /// Waits for the next such signal, at most 5 s; one that came before counts. Fails the test when
  /// there is none.
  std::string wait_added();
  Removed wait_removed();
  bool wait_uplink_changed();

 private:
  void onInterfaceAdded(const std::string& name, const std::string&, const std::string&) override;
  void onInterfaceRemoved(const std::string& name, const std::string& reason) override;
  void onUplinkChanged() override;

  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::string> added_;
  std::vector<Removed> removed_;
  int uplink_changed_ = 0;
};

/// tundev-netd on a host, as the user and with the capabilities it has on a device.
class Daemon {
 public:
  /// @param config  further lines of device.toml
  Daemon(const Host& host, const Bus& bus, const Folder& folder, const std::string& config = "");
  ~Daemon();

  pid_t pid() const noexcept { return pid_; }
  /// SIGTERM, and its exit code.
  int stop();
  void kill();
  /// Waits until it ends by itself.
  int wait();

 private:
  pid_t pid_;
};

/// What OpenSession is told.
using Setup = std::map<std::string, sdbus::Variant>;
using Allow = std::vector<sdbus::Struct<std::string, std::uint8_t, std::uint16_t, std::uint16_t>>;
inline constexpr const char* tunnel_prefix = "192.168.200.4/30";
Setup master_setup(std::vector<std::string> dns = {});
Setup onsite_setup(const Allow& allow, std::vector<std::string> deny = {});

/// What an agent does that is to be killed: opens session 7 on the bus at `address`, and holds it.
/// @param note  left with it unless it is empty  @param noted  a file that is made when it is left
[[noreturn]] void hold_session(const char* address, const Setup& setup,
                               const std::vector<std::uint8_t>& note = {},
                               const char* noted = nullptr);

/// The name of the D-Bus error that `call` gets; "" when it succeeds.
std::string error_of(const std::function<void()>& call);

/// A laptop that asks for an address as a real one does.
/// @return whether it got one; it then has it, and its router
bool get_lease(const Host& laptop, const std::string& link, const Folder& folder);

}  // namespace netd_test
