#include "base/log.hpp"
#include "bus/supervisor.hpp"
#include "netd/netd_dbus.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <signal.h>

/// tundev-netd: a device's kernel networking, over D-Bus. See dbus/org.rdv.Netd1.xml.
namespace device {
namespace {

namespace asio = tunnel::io::asio;
namespace log = tunnel::log;

constexpr int failed = 1;
constexpr int wrong_usage = 2;

int complain(int code, const std::string& what, const std::string& next) {
  fmt::print(stderr, "tundev-netd: {}\ntundev-netd: {}\n", what, next);
  return code;
}

/// @return the exit code
int serve(const Config& config) {
  asio::io_context io{1};
  bool bus_lost = false;
  asio::signal_set stop{io, SIGTERM, SIGINT};
  stop.async_wait([&](tunnel::io::error_code ec, int) {
    if (!ec) io.stop();
  });
  tunnel::bus::AsioBus bus{io, netd_bus_name};
  bus.on_lost([&] {
    bus_lost = true;
    io.stop();
  });
  {
    NetdDbus netd{io, bus, config};
    tunnel::bus::Supervisor supervisor{io,
                                       {.trouble = [&] { return netd.netd().trouble(); },
                                        .status = [&] { return netd.netd().status(); }}};
    supervisor.ready();
    log::info("tundev-netd runs");
    io.run();
    supervisor.stopping();
  }  // everything is undone here
  log::info("tundev-netd has stopped");
  return bus_lost ? failed : 0;
}

/// @param uplink  instead of the configuration's [uplink] device; "": as it says
int run(const std::string& config_path, const std::string& uplink) {
  Config config;
  try {
    config = load_config(config_path);
  } catch (const ConfigError& error) {
    return complain(failed, error.what(), "correct the file and start me again");
  }
  if (!uplink.empty()) config.uplink.device = uplink;
  log::set_level(config.log.level);
  try {
    return serve(config);
  } catch (const sdbus::Error& error) {
    return complain(
        failed, fmt::format("cannot be {} on the system bus: {}", netd_bus_name, error.what()),
        "see whether dbus-daemon runs, its policy org.rdv.Netd1.conf is installed and no other "
        "tundev-netd runs");
  } catch (const std::exception& error) {
    return complain(failed, error.what(),
                    "I need CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE and a writable "
                    "runtime_dir; see the log above");
  }
}

}  // namespace
}  // namespace device

int main(int argc, char** argv) {
  CLI::App app{"Kernel networking of an RDV device, for tundev-agent"};
  app.name("tundev-netd");
  std::string config;
  app.add_option("--config", config, "configuration file")->type_name("FILE");
  std::string uplink;
  app.add_option("-U,--uplink", uplink, "reach the server by this interface only")
      ->type_name("DEV")
      ->check([](const std::string& name) {
        return device::is_link_name(name) ? "" : "not a name of an interface";
      });
  app.set_version_flag("--version", RDV_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : device::wrong_usage;
  }
  return device::run(config, uplink);
}
