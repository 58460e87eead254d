#include "control_dbus.hpp"

#include "base/log.hpp"
#include "base/session_id.hpp"
#include "org.rdv.Server1_adaptor.hpp"

#include <fmt/format.h>
#include <sdbus-c++/sdbus-c++.h>

#include <array>
#include <map>
#include <pwd.h>
#include <tuple>
#include <utility>

namespace rdv {

using Fields = std::map<std::string, sdbus::Variant>;

namespace {

const char* error_name(ControlError::Kind kind) {
  switch (kind) {
    case ControlError::Kind::not_found: return "org.rdv.Error.NotFound";
    case ControlError::Kind::exists: return "org.rdv.Error.Exists";
    case ControlError::Kind::invalid_argument: return "org.rdv.Error.InvalidArgument";
    case ControlError::Kind::failed: break;
  }
  return "org.rdv.Error.Failed";
}

/// Nothing but sdbus::Error may leave a method handler.
template <class Work>
auto answered(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const ControlError& e) {
    throw sdbus::Error{error_name(e.kind()), e.what()};
  } catch (const sdbus::Error&) {
    throw;
  } catch (const std::exception& e) {
    throw sdbus::Error{error_name(ControlError::Kind::failed),
                       std::string{"the server could not do it: "} + e.what()};
  }
}

std::uint64_t unsigned_time(tunnel::UnixSeconds time) {
  return time > 0 ? static_cast<std::uint64_t>(time) : 0;
}

std::string user_text(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  const bool known =
      ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return known ? fmt::format("{} (uid {})", entry.pw_name, uid) : fmt::format("uid {}", uid);
}

template <class T>
T option(const Fields& options, const std::string& key, T otherwise) {
  const auto it = options.find(key);
  if (it == options.end()) return otherwise;
  if (!it->second.containsValueOfType<T>())
    throw ControlError{ControlError::Kind::invalid_argument,
                       "the option `" + key + "` has the wrong type"};
  return it->second.get<T>();
}

Control::DeviceOptions to_options(const Fields& options) {
  for (const auto& [key, value] : options)
    if (key != "site" && key != "system" && key != "allow" && key != "l2")
      throw ControlError{ControlError::Kind::invalid_argument,
                         "there is no option `" + key + "`; known are site, system, allow and l2"};
  Control::DeviceOptions parsed;
  parsed.site = option(options, "site", parsed.site);
  parsed.system = option(options, "system", parsed.system);
  parsed.allow = option(options, "allow", parsed.allow);
  parsed.l2 = option(options, "l2", parsed.l2);
  return parsed;
}

Fields to_fields(const Control::DeviceView& view) {
  const auto& record = view.record;
  std::vector<std::string> allow;
  for (const auto& prefix : record.allow)
    allow.push_back(prefix.str());
  Fields fields{
      {"name", record.name.str()},
      {"role", std::string{to_string(record.role)}},
      {"system", record.system.str()},
      {"site", record.site},
      {"state", std::string{to_string(record.state)}},
      {"online", view.online.has_value()},
      {"since", unsigned_time(view.online ? view.online->since : record.last_seen)},
      {"enrolled_at", unsigned_time(record.enrolled_at)},
      {"revoked_at", unsigned_time(record.revoked_at)},
      {"revoked_reason", record.revoked_reason},
      {"code_expires", unsigned_time(record.code_expires)},
      {"certificate_expires", unsigned_time(record.certificate_expires)},
      {"key_sha256", record.key_hash ? tunnel::to_hex(*record.key_hash) : std::string{}},
      {"allow", allow},
      {"l2", record.allows_l2},
      {"busy_with", view.busy_with},
  };
  const auto info = view.online ? view.online->info : tunnel::wire::Info{};
  fields["public_address"] = view.online ? view.online->public_address : std::string{};
  fields["hostname"] = info.hostname;
  fields["software"] = info.software;
  fields["lan"] = info.lan ? info.lan->str() : std::string{};
  fields["uplink"] = view.online ? std::string{to_string(info.uplink)} : std::string{};
  return fields;
}

Fields to_fields(const Session& session) {
  return {
      {"id", tunnel::format_session_id(session.id)},
      {"master", session.master.name.str()},
      {"onsite", session.onsite.name.str()},
      {"system", session.system.str()},
      {"mode", std::string{to_string(session.open.mode)}},
      {"since", unsigned_time(session.since)},
      {"state", std::string{to_string(session.state)}},
      {"rx_bytes", session.from_onsite_bytes},
      {"tx_bytes", session.from_master_bytes},
      {"expires", unsigned_time(session.expires)},
      {"interrupted_since", unsigned_time(session.interrupted_since)},
  };
}

Fields to_fields(const Control::StatusView& status) {
  return {
      {"version", status.version},
      {"since", unsigned_time(status.since)},
      {"devices", static_cast<std::uint32_t>(status.devices)},
      {"online", static_cast<std::uint32_t>(status.online)},
      {"sessions", static_cast<std::uint32_t>(status.sessions)},
      {"handshakes", status.counters.handshakes},
      {"refused", status.counters.refused},
      {"relayed_bytes", status.counters.relayed_bytes},
      {"memory_kb", status.memory_kb},
      {"listen", status.counters.listen},
      {"alarms", status.counters.alarms},
      {"audit_records", status.counters.audit.head.sequence},
      {"audit_head", status.counters.audit.head.str()},
      {"audit_trouble", status.counters.audit.trouble},
      {"audit_trouble_since", unsigned_time(status.counters.audit.since)},
      {"audit_waiting", std::uint64_t{status.counters.audit.waiting}},
      {"audit_lost", status.counters.audit.lost},
  };
}

template <class List>
std::vector<Fields> to_list(const List& list) {
  std::vector<Fields> rows;
  for (const auto& item : list)
    rows.push_back(to_fields(item));
  return rows;
}

}  // namespace

class ControlDbus::Adaptor final : public sdbus::AdaptorInterfaces<org::rdv::Server1_adaptor> {
 public:
  Adaptor(sdbus::IConnection& connection, Control& control)
      : AdaptorInterfaces{connection, server_object_path}, control_{control} {
    registerAdaptor();
    control_.watch_alarms([this] { emit_alarms(); });
  }
  ~Adaptor() {
    control_.watch_alarms({});
    unregisterAdaptor();
  }

 private:
  using CodeReply = std::tuple<std::string, std::uint64_t>;

  static CodeReply reply(const Control::Code& code) {
    return {code.code, unsigned_time(code.expires)};
  }

  CodeReply AddDevice(const std::string& name, const std::string& role,
                      const Fields& options) override {
    return answered(
        [&] { return reply(control_.add_device(name, role, to_options(options), caller())); });
  }
  CodeReply NewCode(const std::string& name) override {
    return answered([&] { return reply(control_.new_code(name, caller())); });
  }
  std::vector<Fields> ListDevices() override {
    return answered([&] { return to_list(control_.list_devices()); });
  }
  Fields ShowDevice(const std::string& name) override {
    return answered([&] { return to_fields(control_.show_device(name)); });
  }
  void RevokeDevice(const std::string& name, const std::string& reason) override {
    answered([&] { control_.revoke_device(name, reason, caller()); });
  }
  void SetL2(const std::string& name, const bool& allowed) override {
    answered([&] { control_.set_l2(name, allowed, caller()); });
  }
  void RemoveDevice(const std::string& name) override {
    answered([&] { control_.remove_device(name, caller()); });
  }
  std::vector<Fields> ListSessions() override {
    return answered([&] { return to_list(control_.list_sessions()); });
  }
  void CloseSession(const std::string& id, const std::string& reason) override {
    answered([&] { control_.close_session(id, reason, caller()); });
  }
  Fields Status() override {
    return answered([&] { return to_fields(control_.status()); });
  }
  std::vector<std::string> Alarms() override { return control_.alarms(); }

  /// Whoever called the method that runs now, as the audit has it: "alice (uid 1000)".
  std::string caller() const try {
    const auto* message = getObject().getCurrentlyProcessedMessage();
    return message == nullptr ? std::string{} : user_text(message->getCredsUid());
  } catch (const sdbus::Error&) {
    return {};  // it is gone already
  }
  void emit_alarms() {
    try {
      getObject().emitPropertiesChangedSignal(INTERFACE_NAME, {"Alarms"});
    } catch (const sdbus::Error& error) {
      tunnel::log::debug("cannot tell of an alarm on the bus",
                         {tunnel::log::reason(error.getMessage())});
    }
  }

  Control& control_;
};

ControlDbus::ControlDbus(sdbus::IConnection& connection, Control& control)
    : adaptor_{std::make_unique<Adaptor>(connection, control)} {}

ControlDbus::~ControlDbus() = default;

}  // namespace rdv
