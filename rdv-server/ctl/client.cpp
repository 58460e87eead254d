#include "ctl/client.hpp"

#include "org.rdv.Server1_proxy.hpp"

#include <sdbus-c++/sdbus-c++.h>

#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace rdv::ctl {

using nlohmann::json;
using Fields = std::map<std::string, sdbus::Variant>;

namespace {

constexpr char bus_name[] = "org.rdv.Server1";
constexpr char object_path[] = "/org/rdv/Server1";

json to_json(const sdbus::Variant& value) {
  const auto type = value.peekValueType();
  if (type == "s") return value.get<std::string>();
  if (type == "b") return value.get<bool>();
  if (type == "t") return value.get<std::uint64_t>();
  if (type == "u") return value.get<std::uint32_t>();
  if (type == "as") return value.get<std::vector<std::string>>();
  return nullptr;
}

json to_json(const Fields& fields) {
  json object = json::object();
  for (const auto& [key, value] : fields)
    object[key] = to_json(value);
  return object;
}

json to_json(const std::vector<Fields>& rows) {
  json array = json::array();
  for (const auto& row : rows)
    array.push_back(to_json(row));
  return array;
}

/// What a D-Bus error means to the operator.
[[noreturn]] void explain(const sdbus::Error& error) {
  const std::string_view name = error.getName();
  const std::string& message = error.getMessage();
  if (name.starts_with("org.rdv.Error.")) {
    const auto line_end = message.find('\n');
    throw ClientError{message.substr(0, line_end),
                      line_end == std::string::npos ? "" : message.substr(line_end + 1)};
  }
  if (name.ends_with(".ServiceUnknown") || name.ends_with(".NameHasNoOwner"))
    throw ClientError{"rdv-server is not running",
                      "start it: systemctl start rdv-server; its log: journalctl -u rdv-server"};
  if (name.ends_with(".AccessDenied"))
    throw ClientError{"only root and the members of the group rdv-admin may administer the server",
                      "use sudo, or join the group and log in anew: sudo adduser $USER rdv-admin"};
  if (name.ends_with(".FileNotFound") || name.ends_with(".NoServer"))
    throw ClientError{"there is no D-Bus system bus here: " + message,
                      "start it: systemctl start dbus"};
  if (name.ends_with(".NoReply") || name.ends_with(".Timeout") || name.ends_with(".TimedOut"))
    throw ClientError{"rdv-server does not answer", "its log says why: journalctl -u rdv-server"};
  if (name.ends_with(".UnknownMethod"))
    throw ClientError{"the running rdv-server is of another version: " + message,
                      "restart it: systemctl restart rdv-server"};
  throw ClientError{message + " (" + std::string{name} + ")", ""};
}

template <class Call>
auto asked(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const sdbus::Error& error) {
    explain(error);
  }
}

}  // namespace

class Client::Proxy final : public sdbus::ProxyInterfaces<org::rdv::Server1_proxy> {
 public:
  Proxy() : ProxyInterfaces{sdbus::createSystemBusConnection(), bus_name, object_path} {
    registerProxy();
  }
  ~Proxy() { unregisterProxy(); }
};

Client::Client() : proxy_{asked([] { return std::make_unique<Proxy>(); })} {}
Client::~Client() = default;

Client::Code Client::add_device(const std::string& name, const std::string& role,
                                const DeviceOptions& options) {
  Fields fields;
  if (!options.site.empty()) fields["site"] = options.site;
  if (!options.system.empty()) fields["system"] = options.system;
  if (!options.allow.empty()) fields["allow"] = options.allow;
  if (options.l2) fields["l2"] = true;
  auto [code, expires] = asked([&] { return proxy_->AddDevice(name, role, fields); });
  return {std::move(code), static_cast<std::int64_t>(expires)};
}

Client::Code Client::new_code(const std::string& name) {
  auto [code, expires] = asked([&] { return proxy_->NewCode(name); });
  return {std::move(code), static_cast<std::int64_t>(expires)};
}

json Client::list_devices() {
  return asked([&] { return to_json(proxy_->ListDevices()); });
}
json Client::show_device(const std::string& name) {
  return asked([&] { return to_json(proxy_->ShowDevice(name)); });
}
void Client::revoke_device(const std::string& name, const std::string& reason) {
  asked([&] { proxy_->RevokeDevice(name, reason); });
}
void Client::set_l2(const std::string& name, bool allowed) {
  asked([&] { proxy_->SetL2(name, allowed); });
}
void Client::remove_device(const std::string& name) {
  asked([&] { proxy_->RemoveDevice(name); });
}
json Client::list_sessions() {
  return asked([&] { return to_json(proxy_->ListSessions()); });
}
void Client::close_session(const std::string& id, const std::string& reason) {
  asked([&] { proxy_->CloseSession(id, reason); });
}
json Client::status() {
  return asked([&] { return to_json(proxy_->Status()); });
}

}  // namespace rdv::ctl
