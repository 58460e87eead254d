#include "netd/netd_dbus.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"

#include <fcntl.h>
#include <functional>

namespace device {
namespace {

using Allow = std::vector<sdbus::Struct<std::string, std::uint8_t, std::uint16_t, std::uint16_t>>;

/// Runs one method of Netd; what it throws becomes the D-Bus error of the contract.
template <class Method>
auto answer(Method method) {
  const auto refuse = [](const std::string& name, const char* text) {
    tunnel::log::warn("refused a request", {tunnel::log::code(name), tunnel::log::reason(text)});
    return sdbus::Error{"org.rdv.Error." + name, text};
  };
  try {
    return method();
  } catch (const RequestError& error) {
    throw refuse(error.name(), error.what());
  } catch (const std::runtime_error& error) {  // net::NetError, or what the file system refuses
    throw refuse("Kernel", error.what());
  }
}

SessionRequest to_request(const std::map<std::string, sdbus::Variant>& setup) {
  SessionRequest request;
  std::string key;
  try {
    for (const auto& [name, value] : setup) {
      key = name;
      if (key == "role")
        request.role = value.get<std::string>();
      else if (key == "mode")
        request.mode = value.get<std::string>();
      else if (key == "tunnel")
        request.tunnel = value.get<std::string>();
      else if (key == "interface")
        request.interface = value.get<std::string>();
      else if (key == "deny")
        request.deny = value.get<std::vector<std::string>>();
      else if (key == "dns")
        request.dns = value.get<std::vector<std::string>>();
      else if (key == "allow")
        for (const auto& permit : value.get<Allow>())
          request.allow.emplace_back(permit.get<0>(), permit.get<1>(), permit.get<2>(),
                                     permit.get<3>());
      else
        throw RequestError{"InvalidArgument", "setup has an unknown key: " + key.substr(0, 40)};
    }
  } catch (const sdbus::Error&) {
    throw RequestError{"InvalidArgument", "setup: " + key + " has another type than it should"};
  }
  return request;
}

}  // namespace

NetdDbus::NetdDbus(tunnel::io::asio::io_context& io, tunnel::bus::AsioBus& bus,
                   const Config& config)
    : AdaptorInterfaces{bus.connection(), netd_object_path},
      netd_{io,
            config,
            {.port_ready =
                 [this](const PortKeeper::Port& port) {
                   emitInterfaceAdded(port.name, port.mac, netd_.interface().address);
                 },
             .port_gone =
                 [this](const PortKeeper::Port& port, const std::string& reason) {
                   emitInterfaceRemoved(port.name, reason);
                 },
             .uplink_changed = [this] { emitUplinkChanged(); }}} {
  bus.on_name_gone([this](const std::string& name) { netd_.owner_gone(name); });
  registerAdaptor();
}

NetdDbus::~NetdDbus() {
  unregisterAdaptor();
}

void NetdDbus::SetRole(const std::string& role) {
  answer([&] { netd_.set_role(role); });
}

std::tuple<std::string, std::string, std::string, bool> NetdDbus::GetInterface() {
  const auto port = netd_.interface();
  return {port.name, port.mac, port.address, port.carrier};
}

std::vector<NetdDbus::Options> NetdDbus::GetPorts() {
  std::vector<Options> ports;
  for (const auto& port : answer([&] { return netd_.ports(); }))
    ports.push_back({{"name", port.name},
                     {"laptop", port.is_laptops},
                     {"reason", port.reason},
                     {"remedy", port.remedy}});
  return ports;
}

NetdDbus::Options NetdDbus::GetUplink() {
  const auto uplink = answer([&] { return netd_.uplink(); });
  Options options{{"interface", uplink.interface},
                  {"dns", uplink.dns},
                  {"chosen", uplink.chosen},
                  {"fixed", uplink.fixed}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) options.emplace(key, value);
  };
  add("kind", uplink.kind);
  add("address", uplink.address);
  add("gateway", uplink.gateway);
  add("lan_interface", uplink.lan_interface);
  add("lan_address", uplink.lan_address);
  std::vector<sdbus::Struct<std::string, std::string, bool>> others;
  for (const auto& other : uplink.others)
    others.emplace_back(other.interface, other.address, other.better);
  if (!others.empty()) options.emplace("others", others);
  return options;
}

void NetdDbus::FixUplink(const std::string& interface) {
  answer([&] { netd_.fix_uplink(interface); });
}

void NetdDbus::SetServers(const std::vector<std::string>& addresses) {
  answer([&] { netd_.set_servers(addresses); });
}

void NetdDbus::ReportUplink(const std::string& interface, const bool& answers) {
  answer([&] { netd_.report_uplink(interface, answers); });
}

std::tuple<sdbus::UnixFd, std::string> NetdDbus::OpenSession(const std::uint64_t& session,
                                                             const Options& setup) {
  return answer([&]() -> std::tuple<sdbus::UnixFd, std::string> {
    const auto opened =
        netd_.open_session(session, to_request(setup), tunnel::bus::caller(getObject()));
    return {sdbus::UnixFd{opened.tun}, opened.link};
  });
}

std::string NetdDbus::AdoptSession(const std::uint64_t& session, const Options& setup,
                                   const sdbus::UnixFd& tun) {
  return answer([&] {
    return netd_.adopt_session(session, to_request(setup), tunnel::bus::caller(getObject()),
                               tunnel::UniqueFd{::fcntl(tun.get(), F_DUPFD_CLOEXEC, 3)});
  });
}

void NetdDbus::LeaveNote(const std::uint64_t& session, const std::vector<std::uint8_t>& note) {
  answer([&] { netd_.leave_note(session, note); });
}

std::tuple<std::uint64_t, sdbus::UnixFd, std::string, std::vector<std::uint8_t>>
NetdDbus::KeptSession() {
  try {
    auto kept = netd_.kept_session();
    return {kept.id, sdbus::UnixFd{kept.opened.tun}, kept.opened.link, std::move(kept.note)};
  } catch (const RequestError& none) {  // asked at each start of an agent: no warning
    throw sdbus::Error{"org.rdv.Error." + none.name(), none.what()};
  }
}

void NetdDbus::CloseSession(const std::uint64_t& session) {
  answer([&] { netd_.close_session(session); });
}

}  // namespace device
