#include "net_fixture.hpp"

#include "crypto/files.hpp"

#include <csignal>
#include <cstdlib>

namespace support {
namespace {

std::filesystem::path new_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "rdv-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw PeerError{"cannot make a folder"};
  return pattern;
}

}  // namespace

ServerFixture::ServerFixture(rdv::Limits limits) : folder_{new_folder()} {
  std::signal(SIGPIPE, SIG_IGN);
  tunnel::log::set_level(tunnel::log::Level::error);
  rdv::Config config;
  config.listen = {{"127.0.0.1", 0}};
  config.public_address = "127.0.0.1:443";
  config.state_dir = folder_ / "state";
  config.limits = limits;
  rdv::init_state(config, tunnel::unix_now());
  auto keys = rdv::load_keys(rdv::StatePaths{config.state_dir});
  authority_.emplace(std::move(keys.authority));
  server_ = std::make_unique<rdv::Server>(io_, config);
  port_ = server_->port();
  asio::co_spawn(io_, server_->run(), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
  thread_ = std::thread{[this] { io_.run(); }};
}

ServerFixture::~ServerFixture() {
  stop();
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ServerFixture::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { server_->stop(); });
  thread_.join();
}

Device ServerFixture::new_device(const std::string& name, wire::Role role,
                                 const std::string& system) {
  const auto code = in_server([&](rdv::Server& server) {
    return server.control().add_device(name, std::string{to_string(role)}, {.system = system}).code;
  });
  return enrol(port_, code);
}

void ServerFixture::serves_a_good_client() {
  if (!good_) good_ = new_device("good", wire::Role::master);
  ControlPeer peer{port_, *good_};
  peer.send(wire::List{.request = 7});
  if (peer.expect<wire::Listing>().request != 7)
    throw PeerError{"not the answer to what was asked"};
}

}  // namespace support
