#include "control.hpp"

#include "base/ipv4.hpp"
#include "base/session_id.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <unistd.h>
#include <utility>

namespace rdv {

using tunnel::wire::GoodbyeCode;
using tunnel::wire::Name;
using tunnel::wire::Role;
using Kind = ControlError::Kind;

namespace wire = tunnel::wire;

namespace {

constexpr std::size_t reason_chars_max = 200;

Name parse_name(const std::string& text, std::string_view what) {
  const auto name = Name::parse(text);
  if (name) return *name;
  throw ControlError{Kind::invalid_argument,
                     fmt::format("`{}` is not a name of a {}", wire::to_plain_text(text, 64), what),
                     fmt::format("use 1 to {} of a-z, 0-9 and `-`, without a `-` at an end",
                                 wire::device_name_chars_max)};
}

Role parse_role(const std::string& text) {
  const auto role = wire::parse_role(text);
  if (role) return *role;
  throw ControlError{Kind::invalid_argument,
                     fmt::format("`{}` is not a role", wire::to_plain_text(text, 64)),
                     "a device is an onsite or a master"};
}

std::string plain(const std::string& text, std::string_view what, std::size_t chars_max) {
  if (wire::is_plain_text(text, chars_max)) return text;
  throw ControlError{Kind::invalid_argument,
                     fmt::format("the {} is not plain text of at most {} bytes", what, chars_max)};
}

std::vector<tunnel::Ipv4Prefix> parse_allow(const std::vector<std::string>& texts, Role role) {
  if (!texts.empty() && role != Role::onsite)
    throw ControlError{Kind::invalid_argument, "only an onsite opens networks",
                       "drop the option allow"};
  if (texts.size() > allow_prefixes_max)
    throw ControlError{Kind::invalid_argument,
                       fmt::format("at most {} networks can be allowed", allow_prefixes_max)};
  std::vector<tunnel::Ipv4Prefix> prefixes;
  for (const auto& text : texts) {
    const auto prefix = tunnel::Ipv4Prefix::parse(text);
    if (!prefix)
      throw ControlError{Kind::invalid_argument,
                         fmt::format("`{}` is not a network", wire::to_plain_text(text, 64)),
                         "write it like 10.1.0.0/16"};
    prefixes.push_back(prefix->network());
  }
  return prefixes;
}

[[noreturn]] void only_onsites_join() {
  throw ControlError{Kind::invalid_argument, "only an onsite lets others join its LAN",
                     "mode L2 is permitted on the onsite, for all masters of its system"};
}

[[noreturn]] void no_such_device(const std::string& name) {
  throw ControlError{Kind::not_found, fmt::format("there is no device {}", name),
                     "see which there are: rdvctl device list"};
}

/// What the kernel counts as resident, in KiB (proc(5), statm).
std::uint64_t resident_kb() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

/// Runs `work`; a store that fails becomes a sentence for the operator.
template <class Work>
auto stored(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const StoreError& e) {
    throw ControlError{Kind::failed, fmt::format("the server's store failed: {}", e.what())};
  }
}

}  // namespace

Control::Control(Parts parts) : parts_{std::move(parts)}, since_{parts_.clocks().unix} {}

Control::Code Control::add_device(const std::string& name, const std::string& role,
                                  const DeviceOptions& options, const std::string& by) {
  const auto parsed_role = parse_role(role);
  const NewDevice device{.name = parse_name(name, "device"),
                         .system = parse_name(options.system, "system"),
                         .role = parsed_role,
                         .site = plain(options.site, "site", wire::site_chars_max),
                         .allow = parse_allow(options.allow, parsed_role),
                         .allows_l2 = options.l2};
  if (device.allows_l2 && parsed_role != Role::onsite) only_onsites_join();
  const auto now = parts_.clocks().unix;
  const auto fresh = parts_.enrolment.make_code(parts_.public_address, now);
  const auto answer =
      stored([&] { return parts_.store.add(device, fresh.stored, now, parts_.devices_max); });
  if (answer == StoreAnswer::exists)
    throw ControlError{Kind::exists, fmt::format("there is a device {} already", name),
                       fmt::format("for a new enrolment code: rdvctl device code {}", name)};
  if (answer != StoreAnswer::done)
    throw ControlError{
        Kind::failed,
        fmt::format("{} devices are registered, which is the limit", parts_.devices_max),
        "raise devices in [limits] of server.toml, or remove some"};
  note({.kind = Event::Kind::device_added,
        .device = name,
        .text = fmt::format("{} of the system {}{}", role, options.system,
                            options.l2 ? ", mode L2 is permitted" : ""),
        .user = by});
  return {fresh.code.str(), fresh.stored.expires};
}

Control::Code Control::new_code(const std::string& name, const std::string& by) {
  const auto parsed = parse_name(name, "device");
  const auto now = parts_.clocks().unix;
  const auto fresh = parts_.enrolment.make_code(parts_.public_address, now);
  const auto answer = stored([&] { return parts_.store.replace_code(parsed, fresh.stored, now); });
  if (answer == StoreAnswer::unknown) no_such_device(name);
  if (answer == StoreAnswer::revoked)
    throw ControlError{
        Kind::failed, fmt::format("{} is revoked", name),
        fmt::format("to use the name again: rdvctl device remove {}, then add it anew", name)};
  note({.kind = Event::Kind::code_replaced, .device = name, .user = by});
  return {fresh.code.str(), fresh.stored.expires};
}

DeviceRecord Control::record(const std::string& name) {
  const auto parsed = parse_name(name, "device");
  auto found = stored([&] { return parts_.store.find(parsed); });
  if (!found) no_such_device(name);
  return *std::move(found);
}

Control::DeviceView Control::view(const DeviceRecord& record) const {
  DeviceView view{.record = record, .online = std::nullopt, .busy_with = {}};
  if (record.code_expires <= parts_.clocks().unix) view.record.code_expires = 0;
  if (const auto* online = parts_.broker.registry().find(record.name)) view.online = *online;
  if (const auto* session = parts_.broker.session_of(record.name))
    view.busy_with = session->master.name == record.name ? session->onsite.name.str()
                                                         : session->master.name.str();
  return view;
}

std::vector<Control::DeviceView> Control::list_devices() {
  std::vector<DeviceView> views;
  for (const auto& record : stored([&] { return parts_.store.devices(); }))
    views.push_back(view(record));
  return views;
}

Control::DeviceView Control::show_device(const std::string& name) {
  return view(record(name));
}

void Control::revoke_device(const std::string& name, const std::string& reason,
                            const std::string& by) {
  const auto parsed = parse_name(name, "device");
  const auto text = plain(reason, "reason", reason_chars_max);
  const auto now = parts_.clocks();
  const auto answer = stored([&] { return parts_.store.revoke(parsed, text, now.unix); });
  if (answer == StoreAnswer::unknown) no_such_device(name);
  if (answer == StoreAnswer::revoked)
    throw ControlError{Kind::failed, fmt::format("{} is revoked already", name)};
  note({.kind = Event::Kind::device_revoked, .device = name, .text = text, .user = by});
  const auto sentence = text.empty() ? fmt::format("{} was revoked by the administrator", name)
                                     : fmt::format("{} was revoked: {}", name, text);
  parts_.sink.run(parts_.broker.on_device_changed(parsed, GoodbyeCode::revoked, sentence, now));
}

void Control::set_l2(const std::string& name, bool allowed, const std::string& by) {
  const auto device = record(name);
  if (device.role != Role::onsite) only_onsites_join();
  if (stored([&] { return parts_.store.set_allows_l2(device.name, allowed); }) != StoreAnswer::done)
    no_such_device(name);
  note({.kind = Event::Kind::device_changed,
        .device = name,
        .text = allowed ? "mode L2 is permitted" : "mode L2 is no longer permitted",
        .user = by});
  const auto* session = parts_.broker.session_of(device.name);
  if (allowed || session == nullptr || session->open.mode != wire::Mode::l2) return;
  parts_.sink.run(parts_.broker
                      .close_session(session->id,
                                     fmt::format("mode L2 is no longer permitted at {}", name),
                                     parts_.clocks())
                      .value());
}

void Control::remove_device(const std::string& name, const std::string& by) {
  const auto parsed = parse_name(name, "device");
  // First forgotten by the store, so that nothing can come back between.
  const auto answer = stored([&] { return parts_.store.remove(parsed); });
  if (answer == StoreAnswer::unknown) no_such_device(name);
  note({.kind = Event::Kind::device_removed, .device = name, .user = by});
  parts_.sink.run(parts_.broker.on_device_changed(
      parsed, GoodbyeCode::unknown_device, fmt::format("{} was removed", name), parts_.clocks()));
}

std::vector<Session> Control::list_sessions() const {
  std::vector<Session> sessions;
  for (const auto* session : parts_.broker.sessions())
    sessions.push_back(*session);
  return sessions;
}

void Control::close_session(const std::string& id, const std::string& reason,
                            const std::string& by) {
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(id.data(), id.data() + id.size(), number, 16);
  if (ec != std::errc{} || end != id.data() + id.size())
    throw ControlError{Kind::invalid_argument,
                       fmt::format("`{}` is not a session", wire::to_plain_text(id, 64)),
                       "give its 16 digits, as in: rdvctl session list"};
  const auto text = plain(reason, "reason", reason_chars_max);
  if (parts_.broker.find_session(number) == nullptr)
    throw ControlError{Kind::not_found, fmt::format("there is no session {}; it may have ended",
                                                    tunnel::format_session_id(number))};
  note({.kind = Event::Kind::close_ordered, .session = number, .text = text, .user = by});
  parts_.sink.run(parts_.broker.close_session(number, text, parts_.clocks()).value());
}

void Control::note(Event event) {
  parts_.sink.run({Note{std::move(event)}});
}

Control::StatusView Control::status() {
  return {.version = RDV_VERSION,
          .since = since_,
          .devices = stored([&] { return parts_.store.devices().size(); }),
          .online = parts_.broker.registry().size(),
          .sessions = parts_.broker.sessions().size(),
          .counters = parts_.counters(),
          .memory_kb = resident_kb()};
}

std::string Control::trouble() {
  // Any name will do: what counts is that the store is read.
  static const auto nobody = *Name::parse("self-check");
  try {
    (void)parts_.store.find(nobody);
    return {};
  } catch (const StoreError& error) {
    return error.what();
  }
}

std::string Control::summary() const {
  const auto& broker = parts_.broker;
  auto text = fmt::format("{} devices online, {} sessions", broker.registry().size(),
                          broker.sessions().size());
  for (const auto& alarm : alarms())
    text += "; ALARM: " + alarm;
  return text;
}

}  // namespace rdv
