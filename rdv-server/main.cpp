#include "admin_bus.hpp"
#include "base/log.hpp"
#include "bus/supervisor.hpp"
#include "config.hpp"
#include "net/server.hpp"

#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace {

namespace asio = boost::asio;
namespace log = tunnel::log;
using rdv::StartError;

enum ExitCode { done = 0, failed = 1, wrong_usage = 2 };

struct Arguments {
  std::string config = rdv::default_config_path;
  std::optional<log::Level> log_level;
};

int say(const std::string& what, const std::string& next) {
  std::fprintf(stderr, "rdv-server: %s\nrdv-server: %s\n", what.c_str(), next.c_str());
  return failed;
}

/// Every connection and every pipe is a descriptor: take as many as we may have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<tunnel::UniqueFd> sockets_of_systemd() {
  std::vector<tunnel::UniqueFd> sockets;
  const int count = ::sd_listen_fds(1);
  for (int i = 0; i < count; ++i)
    sockets.emplace_back(SD_LISTEN_FDS_START + i);
  return sockets;
}

void serve(const Arguments& arguments) {
  const auto config = rdv::load_config(arguments.config);
  log::set_level(arguments.log_level.value_or(config.log_level));
  asio::io_context io{1};
  rdv::Server server{io, config, sockets_of_systemd()};
  const rdv::AdminBus bus{io, server.control()};
  tunnel::bus::Supervisor supervisor{io,
                                     {.trouble = [&] { return server.control().trouble(); },
                                      .status = [&] { return server.control().summary(); }}};
  asio::signal_set signals{io, SIGTERM, SIGINT};
  const auto stop = [&](std::string_view why) {
    log::info("stopping", {log::reason(why)});
    supervisor.stopping();
    server.stop();
  };
  signals.async_wait([&](const boost::system::error_code& ec, int number) {
    if (!ec) stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
  });
  // Once all has ended, the bus is all that keeps the loop busy.
  asio::co_spawn(io, server.run(), [&](const std::exception_ptr& error) {
    io.stop();
    if (error) std::rethrow_exception(error);
  });
  supervisor.ready();
  for (const auto& address : server.addresses())
    log::info("listening", {log::address(address)});
  try {
    io.run();
  } catch (const std::exception& error) {
    // Connections that are still in the loop refer to the server: nothing may be taken apart in
    // order any more.
    std::_Exit(say(std::string{"an error of ours: "} + error.what(),
                   "start it again, and report the lines above"));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{
      "Rendezvous server: pairs master and onsite devices on TCP 443 and relays between them."};
  const std::map<std::string, log::Level> levels{{"debug", log::Level::debug},
                                                 {"info", log::Level::info},
                                                 {"warn", log::Level::warn},
                                                 {"error", log::Level::error}};
  app.add_option("--config", arguments.config, "configuration file")->capture_default_str();
  app.add_option("--log-level", arguments.log_level,
                 "debug, info, warn or error; default: as in the configuration")
      ->transform(CLI::CheckedTransformer{levels});
  app.set_version_flag("--version", "rdv-server " RDV_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    say(error.what(), "see what it takes with: rdv-server --help");
    return wrong_usage;
  }
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  try {
    serve(arguments);
    return done;
  } catch (const StartError& error) {
    return say(error.what(), error.next());
  } catch (const rdv::ConfigError& error) {
    return say(error.what(), "correct it; every key is documented in server.toml.example");
  } catch (const rdv::StoreError& error) {
    return say(error.what(),
               "check the disk and the owner of the files (user rdv); a new store is made with: "
               "rdvctl init");
  } catch (const std::exception& error) {
    return say(error.what(), "see the lines above; start it again");
  }
}
