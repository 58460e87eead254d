#pragma once
#include "net/server.hpp"
#include "support/temporary_folder.hpp"
#include "support/tls_peer.hpp"

#include <future>
#include <thread>

namespace support {

namespace asio = boost::asio;
using tunnel::test::patience;

/// What the server does at once it has done by then, and nothing that it does at a deadline: its
/// shortest is client_hello_timeout.
inline constexpr std::chrono::seconds at_once{4};
static_assert(at_once < wire::client_hello_timeout);

/// A whole server in a thread of its own, on a free port of 127.0.0.1, with a state folder of its
/// own. Its only stranger is the test: no D-Bus.
class ServerFixture {
 public:
  explicit ServerFixture(rdv::Limits limits = {});
  ~ServerFixture();
  ServerFixture(ServerFixture&&) = delete;

  std::uint16_t port() const { return port_; }
  const crypto::Authority& authority() const { return *authority_; }

  /// Runs `work` in the server's thread and waits for what it returns.
  template <class Work>
  auto in_server(Work work) {
    std::packaged_task<decltype(work(*server_))()> task{[&] { return work(*server_); }};
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }
  /// Registered by the administrator, enrolled over the network.
  Device new_device(const std::string& name, wire::Role role,
                    const std::string& system = "default");
  /// Orderly; the server is gone when it returns.
  void stop();

  /// Another server with the same state on the same port, as after an upgrade.
  void restart();

  /// A good device connects, is welcomed and gets an answer: the server still serves.
  void serves_a_good_client();

 private:
  void start();

  tunnel::test::TemporaryFolder folder_;
  rdv::Config config_;
  asio::io_context io_{1};
  std::optional<crypto::Authority> authority_;
  std::unique_ptr<rdv::Server> server_;
  std::uint16_t port_ = 0;
  std::optional<Device> good_;
  std::thread thread_;
};

}  // namespace support
