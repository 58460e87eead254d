#pragma once
#include "bus/asio_bus.hpp"
#include "control_dbus.hpp"
#include "enrolment.hpp"
#include "sqlite_store.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/tools/assertion_result.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <sys/types.h>

#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

/// The administration as it is in the field, without the sockets: a store on a real file, the
/// broker, org.rdv.Server1 on a bus daemon of our own under the shipped policy, and the real
/// rdvctl.
namespace rdv::test {

/// A precondition of a test suite (Boost.Test).
boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id);

/// A folder that every user may enter, removed with all that is in it.
class TemporaryFolder : public tunnel::test::TemporaryFolder {
 public:
  TemporaryFolder() { std::filesystem::permissions(path(), std::filesystem::perms{0755}); }
};

/// A bus daemon under dbus/org.rdv.Server1.conf. Every process started after it takes it for the
/// system bus.
class PolicyBus {
 public:
  explicit PolicyBus(const std::filesystem::path& folder);
  ~PolicyBus();
  PolicyBus(PolicyBus&&) = delete;

 private:
  pid_t daemon_ = -1;
};

/// Remembers what it was told to do.
class RecordingSink final : public ActionSink {
 public:
  void run(Actions more) override {
    for (auto& action : more)
      actions.push_back(std::move(action));
  }
  Actions actions;
};

/// Everything of the server that has no socket, on a thread of its own.
class BareServer {
 public:
  explicit BareServer(const std::filesystem::path& folder);
  ~BareServer();
  BareServer(BareServer&&) = delete;

  /// Runs `work(*this)` on the server's thread and waits for it.
  template <class Work>
  auto on_thread(Work work) {
    std::packaged_task<decltype(work(*this))()> task{[&] { return work(*this); }};
    auto result = task.get_future();
    boost::asio::post(io, [&] { task(); });
    return result.get();
  }
  /// Enrols a device that was added, says Hello for it. @return its control connection
  ConnectionId bring_online(std::string_view device);

  boost::asio::io_context io;
  std::unique_ptr<Store> store;
  tunnel::crypto::Authority authority;
  tunnel::crypto::Key grant_key;
  Enrolment enrolment;
  KeyIssuer issuer;
  Broker broker;
  RecordingSink sink;
  tunnel::UnixSeconds ahead = 0;  ///< how far the administration's clock is ahead
  Control control;
  tunnel::bus::AsioBus bus;
  ControlDbus control_dbus;

 private:
  std::uint64_t last_connection_ = 0;
  std::thread thread_;
};

/// What a command wrote and how it ended.
struct Ran {
  std::string out, err;
  int exit_code = -1;
};

/// Runs `rdvctl ARGUMENTS` by a shell. @param as_nobody  as the user nobody, in no group
Ran rdvctl(const std::filesystem::path& folder, const std::string& arguments,
           bool as_nobody = false);

}  // namespace rdv::test
