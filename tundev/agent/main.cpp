#include "agent/device_dbus.hpp"
#include "base/log.hpp"
#include "bus/supervisor.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>

/// tundev-agent: a device's protocol and packet pump. See dbus/org.rdv.Device1.xml.
namespace device {
namespace {

namespace log = tunnel::log;

constexpr int failed = 1;
constexpr int wrong_usage = 2;
/// SIGTERM to the end: bye, CloseSession and the goodbye to the server each have shorter deadlines
/// of their own.
constexpr auto stop_timeout = std::chrono::seconds{15};

int complain(int code, const std::string& what, const std::string& next) {
  fmt::print(stderr, "tundev-agent: {}\ntundev-agent: {}\n", what, next);
  return code;
}

/// One sentence for `systemctl status`.
std::string status_of(const Agent& agent) {
  auto text = agent.status();
  for (const auto& session : agent.sessions())
    text += fmt::format("; session with {}: {}", session.peer, session.state);
  return text;
}

/// @return the exit code
int serve(const Config& config) {
  asio::io_context io{1};
  tunnel::bus::AsioBus bus{io, ""};
  DeviceDbus device{io, bus, config};
  bool bus_lost = false;
  std::exception_ptr trouble;
  tunnel::io::Timer give_up{io};
  tunnel::bus::Supervisor supervisor{
      io,
      {.trouble = [&] { return bus.is_alive() ? "" : "the system bus is gone"; },
       .status = [&] { return status_of(device.agent()); }}};

  const auto stop = [&] {
    supervisor.stopping();
    device.agent().stop();
    give_up.expires_after(stop_timeout);
    give_up.async_wait([&io](tunnel::io::error_code ec) {
      if (!ec) io.stop();
    });
  };
  asio::signal_set signals{io, SIGTERM, SIGINT};
  signals.async_wait([&](tunnel::io::error_code ec, int) {
    if (!ec) stop();
  });
  bus.on_lost([&] {
    bus_lost = true;
    device.agent().lose_bus();
    stop();
  });
  asio::co_spawn(io, device.agent().run(), [&](std::exception_ptr thrown) {
    trouble = thrown;
    io.stop();
  });
  supervisor.ready();
  log::info("tundev-agent runs");
  io.run();
  log::info("tundev-agent has stopped");
  if (trouble) std::rethrow_exception(trouble);
  return bus_lost ? failed : 0;
}

int run(const std::string& config_path, std::optional<log::Level> level) {
  Config config;
  try {
    config = load_config(config_path);
  } catch (const ConfigError& error) {
    return complain(failed, error.what(), "correct the file and start me again");
  }
  log::set_level(level.value_or(config.log.level));
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return serve(config);
  } catch (const sdbus::Error& error) {
    return complain(
        failed, fmt::format("cannot be {} on the system bus: {}", device_bus_name, error.what()),
        "see whether dbus-daemon runs, its policy org.rdv.Device1.conf is installed and no other "
        "tundev-agent runs");
  } catch (const ConfigError& error) {
    return complain(failed, error.what(), "correct it and start me again");
  } catch (const IdentityError& error) {
    return complain(
        failed, error.what(),
        "make state_dir writable for me, or remove its files and enrol the device anew");
  } catch (const std::exception& error) {
    return complain(failed, error.what(), "see the log above");
  }
}

}  // namespace
}  // namespace device

int main(int argc, char** argv) {
  using tunnel::log::Level;
  CLI::App app{"Protocol and packet pump of an RDV device"};
  app.name("tundev-agent");
  std::string config;
  std::optional<Level> level;
  app.add_option("--config", config, "configuration file")->type_name("FILE");
  app.add_option("--log-level", level, "instead of the configuration's")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Level>{{"debug", Level::debug},
                                                                       {"info", Level::info},
                                                                       {"warn", Level::warn},
                                                                       {"error", Level::error}}));
  app.set_version_flag("--version", RDV_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : device::wrong_usage;
  }
  const int code = device::run(config, level);
  // Not exit(): a resolver that hangs in its thread would hold us.
  std::fflush(nullptr);
  std::_Exit(code);
}
