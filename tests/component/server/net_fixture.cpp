#include "net_fixture.hpp"

#include "base/files.hpp"

#include <csignal>

namespace support {

ServerFixture::ServerFixture(rdv::Limits limits) {
  std::signal(SIGPIPE, SIG_IGN);
  tunnel::log::set_level(tunnel::log::Level::error);
  config_.listen = {{"127.0.0.1", 0}};
  config_.public_address = "127.0.0.1:443";
  config_.state_dir = folder_ / "state";
  config_.limits = limits;
  rdv::init_state(config_, tunnel::unix_now());
  auto keys = rdv::load_keys(rdv::StatePaths{config_.state_dir});
  authority_.emplace(std::move(keys.authority));
  start();
}

void ServerFixture::start() {
  server_ = std::make_unique<rdv::Server>(io_, config_);
  port_ = server_->port();
  asio::co_spawn(io_, server_->run(), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
  thread_ = std::thread{[this] { io_.run(); }};
}

void ServerFixture::restart() {
  stop();
  server_.reset();
  io_.restart();
  config_.listen = {{"127.0.0.1", port_}};
  start();
}

ServerFixture::~ServerFixture() {
  stop();
  server_.reset();
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
