#include "component/server/ctl_harness.hpp"

#include "base/files.hpp"
#include "support/patience.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <signal.h>
#include <stdexcept>
#include <unistd.h>

namespace rdv::test {

namespace fs = std::filesystem;
namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;

namespace {

/// As the system bus of Debian has it (/usr/share/dbus-1/system.conf), and our policy behind it.
constexpr char bus_configuration[] = R"(<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={0}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>
<include>{1}</include></busconfig>)";

std::string slurp(const fs::path& file) {
  return fs::exists(file) ? tunnel::read_file(file) : std::string{};
}

}  // namespace

boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result root{::geteuid() == 0};
  root.message() << "the policy lets only root in: run it as root";
  return root;
}

PolicyBus::PolicyBus(const fs::path& folder) {
  const auto configuration = folder / "bus.conf";
  tunnel::write_file_durably(configuration,
                             fmt::format(bus_configuration, folder.string(), RDV_POLICY), 0644);
  daemon_ = ::fork();
  if (daemon_ < 0) throw std::runtime_error{"no process"};
  if (daemon_ == 0) {
    ::execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile",
             ("--config-file=" + configuration.string()).c_str(), nullptr);
    ::_exit(127);
  }
  const auto socket = folder / "bus";
  if (!tunnel::test::eventually([&] { return fs::exists(socket); }))
    throw std::runtime_error{"the bus daemon does not come up"};
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + socket.string()).c_str(), 1);
}

PolicyBus::~PolicyBus() {
  ::kill(daemon_, SIGTERM);
  ::waitpid(daemon_, nullptr, 0);
  ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

BareServer::BareServer(const fs::path& folder)
    : store{open_sqlite_store(folder / "rdv.db", true)},
      authority{crypto::Authority::create(tunnel::unix_now())},
      grant_key{crypto::Key::generate()},
      enrolment{*store, authority, grant_key.public_pem()},
      issuer{grant_key, enrolment},
      broker{*store, issuer, {}},
      control{
          {.store = *store,
           .broker = broker,
           .enrolment = enrolment,
           .sink = sink,
           .public_address = "rdv.example.com:443",
           .devices_max = 5,
           .counters =
               [] { return ServerCounters{.handshakes = 7, .refused = 1, .listen = {"[::]:443"}}; },
           .clocks =
               [this] {
                 auto now = read_clocks();
                 now.unix += ahead;
                 return now;
               }}},
      bus{io, server_bus_name},
      control_dbus{bus.connection(), control},
      thread_{[this] { io.run(); }} {}

BareServer::~BareServer() {
  io.stop();
  thread_.join();
}

ConnectionId BareServer::bring_online(std::string_view device) {
  const auto name = wire::Name::parse(device).value();
  const auto key = crypto::Key::generate();
  const auto fresh = enrolment.make_code("rdv.example.com:443", tunnel::unix_now());
  store->replace_code(name, fresh.stored, tunnel::unix_now());
  enrolment.enroll(
      {.secret = fresh.code.secret, .csr = crypto::make_csr(key), .hostname = {}, .software = {}},
      "198.51.100.7", tunnel::unix_now());
  const ConnectionId id{++last_connection_};
  sink.run(broker.on_connected(id, {store->find(name)->identity(), key.hash(), "198.51.100.7"},
                               read_clocks()));
  wire::Info info;
  info.hostname = "host-of-" + std::string{device};
  info.lan = tunnel::Ipv4Prefix::parse("192.168.1.10/24");
  sink.run(broker.on_message(id, wire::Hello{.info = info}, read_clocks()));
  return id;
}

Ran rdvctl(const fs::path& folder, const std::string& arguments, bool as_nobody) {
  const auto program = folder / "rdvctl";  // a copy, which nobody may run
  if (!fs::exists(program)) fs::copy_file(RDV_RDVCTL, program);
  const std::string user =
      as_nobody ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : std::string{};
  const auto command =
      fmt::format("{0}{1}/rdvctl {2} >{1}/out 2>{1}/err", user, folder.string(), arguments);
  const int status = std::system(command.c_str());
  return {slurp(folder / "out"), slurp(folder / "err"),
          WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

}  // namespace rdv::test
