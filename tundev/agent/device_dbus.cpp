#include "agent/device_dbus.hpp"

#include "base/log.hpp"
#include "base/session_id.hpp"

#include <memory>
#include <utility>

namespace device {
namespace {

using Facts = DeviceDbus::Facts;

sdbus::Error to_dbus(const AgentError& error) {
  return sdbus::Error{"org.rdv.Error." + error.name(), error.what()};
}

/// Runs one method of Agent; what it throws becomes the D-Bus error of the contract.
template <class Method>
auto answer(Method method) {
  try {
    return method();
  } catch (const AgentError& error) {
    throw to_dbus(error);
  }
}

/// Says something on the bus. On one that is gone nobody listens: what follows from that is not
/// ours to decide (AsioBus::on_lost).
template <class Say>
void say(Say words) {
  try {
    words();
  } catch (const sdbus::Error& error) {
    tunnel::log::debug("nobody on the bus could be told", {tunnel::log::reason(error.what())});
  }
}

std::uint64_t unsigned_time(tunnel::UnixSeconds time) {
  return time < 0 ? 0 : static_cast<std::uint64_t>(time);
}

Facts facts_of(const wire::ListedDevice& device) {
  std::vector<std::string> dns;
  for (const auto& server : device.info.dns)
    dns.push_back(server.str());
  Facts facts{{"name", device.name.str()},
              {"site", device.site},
              {"hostname", device.info.hostname},
              {"lan", device.info.lan ? device.info.lan->str() : std::string{}},
              {"dns", dns},
              {"uplink", std::string{to_string(device.info.uplink)}},
              {"public_address", device.public_address},
              {"online", device.online},
              {"since", unsigned_time(device.since)}};
  if (device.busy_with) {
    facts["busy_with"] = sdbus::Variant{device.busy_with->str()};
    facts["busy_since"] = sdbus::Variant{unsigned_time(device.busy_since)};
  }
  return facts;
}

Facts facts_of(const NetworkPort& port) {
  return {{"name", port.name},
          {"laptop", port.is_laptops},
          {"reason", port.reason},
          {"remedy", port.remedy}};
}

Facts facts_of(const Agent::SessionFacts& session) {
  return {{"id", session.id},
          {"session", tunnel::format_session_id(session.session)},
          {"state", session.state},
          {"peer", session.peer},
          {"mode", std::string{to_string(session.mode)}},
          {"since", unsigned_time(session.since)},
          {"interrupted_since", unsigned_time(session.interrupted_since)},
          {"rx_bytes", session.rx_bytes},
          {"tx_bytes", session.tx_bytes}};
}

Facts facts_of(const Details& details) {
  Facts facts;
  for (const auto& [key, detail] : details)
    std::visit([&, &name = key](const auto& value) { facts[name] = sdbus::Variant{value}; },
               detail);
  return facts;
}

template <class Row>
std::vector<Facts> all_facts_of(const std::vector<Row>& rows) {
  std::vector<Facts> facts;
  for (const auto& row : rows)
    facts.push_back(facts_of(row));
  return facts;
}

/// A method that Agent answers by calling back. What it throws at once is an answer, too.
template <class... Out, class Ask>
void later(sdbus::Result<Out...>&& result, Ask ask) {
  // Owned by the callback alone: a std::function must be copyable.
  const auto reply = std::make_shared<sdbus::Result<Out...>>(std::move(result));
  try {
    ask(reply);
  } catch (const AgentError& error) {
    reply->returnError(to_dbus(error));
  }
}

/// Hands what Agent called back with to `done`, or to the caller as the D-Bus error it is.
template <class Reply, class Outcome, class Done>
void conclude(const Reply& reply, const Outcome& outcome, Done done) {
  say([&] {
    if (const auto* error = std::get_if<AgentError>(&outcome))
      reply.returnError(to_dbus(*error));
    else
      done(std::get<0>(outcome));
  });
}

Agent::OpenOptions options_from(const Facts& facts) {
  Agent::OpenOptions options;
  std::string key;
  try {
    for (const auto& [name, value] : facts) {
      key = name;
      if (key == "mode")
        options.mode = value.get<std::string>();
      else if (key == "seconds")
        options.seconds = value.get<std::uint32_t>();
      else if (key == "wait")
        options.wait = value.get<bool>();
      else if (key == "interface")
        options.interface = value.get<std::string>();
      else if (key == "confirm")
        options.confirm = value.get<bool>();
      else if (key == "forward")
        options.forward = value.get<std::vector<std::string>>();
      else
        throw AgentError{"InvalidArgument", "unknown option: " + key.substr(0, 40)};
    }
  } catch (const sdbus::Error&) {
    throw AgentError{"InvalidArgument", "option " + key + " has another type than it should"};
  }
  return options;
}

}  // namespace

DeviceDbus::DeviceDbus(asio::io_context& io, tunnel::bus::AsioBus& bus, const Config& config)
    : AdaptorInterfaces{bus.connection(), device_object_path},
      agent_{io,
             bus,
             config,
             {.session_changed =
                  [this](std::uint64_t id, const std::string& state, const Details& details) {
                    say([&] { emitSessionChanged(id, state, facts_of(details)); });
                  },
              .facts_changed = [this] { emit_facts(); }}} {
  bus.on_name_gone([this](const std::string& name) { agent_.on_name_gone(name); });
  registerAdaptor();
  bus.connection().requestName(device_bus_name);
}

DeviceDbus::~DeviceDbus() {
  unregisterAdaptor();
}

void DeviceDbus::Enroll(sdbus::Result<std::string, std::string, std::string>&& result,
                        std::string code) {
  later(std::move(result), [&](const auto& reply) {
    agent_.enrol(std::move(code), [reply](const std::variant<wire::Identity, AgentError>& outcome) {
      conclude(*reply, outcome, [&](const wire::Identity& self) {
        reply->returnResults(self.name.str(), std::string{to_string(self.role)}, self.system.str());
      });
    });
  });
}

void DeviceDbus::List(sdbus::Result<std::vector<Facts>>&& result) {
  later(std::move(result), [&](const auto& reply) {
    agent_.list([reply](const auto& outcome) {
      conclude(*reply, outcome,
               [&](const auto& rows) { reply->returnResults(all_facts_of(rows)); });
    });
  });
}

void DeviceDbus::Ports(sdbus::Result<std::vector<Facts>>&& result) {
  later(std::move(result), [&](const auto& reply) {
    agent_.ports([reply](const auto& outcome) {
      conclude(*reply, outcome,
               [&](const auto& rows) { reply->returnResults(all_facts_of(rows)); });
    });
  });
}

void DeviceDbus::FixUplink(sdbus::Result<>&& result, std::string interface) {
  later(std::move(result), [&](const auto& reply) {
    agent_.fix_uplink(std::move(interface), [reply](const std::optional<AgentError>& error) {
      say([&] { error ? reply->returnError(to_dbus(*error)) : reply->returnResults(); });
    });
  });
}

std::uint64_t DeviceDbus::Open(const std::string& onsite, const Facts& options) {
  return answer(
      [&] { return agent_.open(onsite, options_from(options), tunnel::bus::caller(getObject())); });
}

void DeviceDbus::Hold(sdbus::Result<std::uint64_t>&& result, std::string session) {
  later(std::move(result), [&](const auto& reply) {
    agent_.hold(session, tunnel::bus::caller(getObject()), [reply](const auto& outcome) {
      conclude(*reply, outcome, [&](std::uint64_t id) { reply->returnResults(id); });
    });
  });
}

void DeviceDbus::Close(const std::uint64_t& id, const std::string& reason) {
  answer([&] { agent_.close(id, reason); });
}

std::uint64_t DeviceDbus::SwitchMode(const std::string& mode) {
  return answer([&] { return agent_.switch_mode(mode); });
}

void DeviceDbus::ConfirmMode() {
  answer([&] { agent_.confirm_mode(); });
}

std::string DeviceDbus::PortAddress() {
  return agent_.port_address();
}

std::vector<Facts> DeviceDbus::Sessions() {
  std::vector<Facts> sessions;
  for (const auto& session : agent_.sessions())
    sessions.push_back(facts_of(session));
  return sessions;
}

std::string DeviceDbus::Name() {
  const auto self = agent_.identity();
  return self ? self->name.str() : "";
}

std::string DeviceDbus::Role() {
  const auto self = agent_.identity();
  return self ? std::string{to_string(self->role)} : "";
}

std::string DeviceDbus::System() {
  const auto self = agent_.identity();
  return self ? self->system.str() : "";
}

std::string DeviceDbus::Server() {
  return agent_.server();
}

bool DeviceDbus::Connected() {
  return agent_.is_online();
}

std::string DeviceDbus::Status() {
  return agent_.status();
}

std::string DeviceDbus::Version() {
  return RDV_VERSION;
}

std::string DeviceDbus::Uplink() {
  return agent_.uplink_link();
}

bool DeviceDbus::UplinkFixed() {
  return agent_.is_uplink_fixed();
}

void DeviceDbus::emit_facts() {
  say([&] {
    getObject().emitPropertiesChangedSignal(
        INTERFACE_NAME,
        {"Name", "Role", "System", "Server", "Connected", "Status", "Uplink", "UplinkFixed"});
  });
}

}  // namespace device
