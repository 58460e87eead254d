#include "cli/device_bus.hpp"

#include "wire/limits.hpp"
#include "wire/names.hpp"

#include <sdbus-c++/sdbus-c++.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <poll.h>
#include <system_error>
#include <tuple>
#include <utility>

namespace device::cli {
namespace {

using namespace std::chrono_literals;
using Facts = std::map<std::string, sdbus::Variant>;

constexpr auto bus_name = "org.rdv.Device1";
constexpr auto object_path = "/org/rdv/Device1";
constexpr auto interface_name = "org.rdv.Device1";
constexpr auto properties = "org.freedesktop.DBus.Properties";
constexpr auto local_timeout = 10s;   // what the agent answers by itself
constexpr auto server_timeout = 20s;  // what it has to ask the server for
constexpr auto enroll_timeout = 60s;  // a connection, a handshake and a key on a slow machine
constexpr std::size_t events_max = 256;

/// Reads the facts of one a{sv}: a key that is absent or of another type gives the default, so that
/// an older or newer agent is understood as far as possible.
class Reader {
 public:
  explicit Reader(const Facts& facts) : facts_{facts} {}

  std::string text(const char* key) const { return plain(value<std::string>(key)); }
  std::vector<std::string> texts(const char* key) const {
    auto list = value<std::vector<std::string>>(key);
    for (auto& item : list)
      item = plain(item);
    return list;
  }
  template <class T>
  T value(const char* key) const {
    const auto found = facts_.find(key);
    if (found == facts_.end() || !found->second.containsValueOfType<T>()) return {};
    return found->second.get<T>();
  }
  bool has(const char* key) const { return facts_.contains(key); }
  tunnel::UnixSeconds time(const char* key) const {
    return static_cast<tunnel::UnixSeconds>(value<std::uint64_t>(key));
  }

 private:
  static std::string plain(const std::string& text) {
    return tunnel::wire::to_plain_text(text, tunnel::wire::text_chars_max);
  }
  const Facts& facts_;
};

SessionState parse_state(std::string_view word) {
  if (word == "waiting") return SessionState::waiting;
  if (word == "opening") return SessionState::opening;
  if (word == "established") return SessionState::established;
  if (word == "interrupted") return SessionState::interrupted;
  if (word == "switching") return SessionState::switching;
  if (word == "confirmed") return SessionState::confirmed;
  if (word == "warning") return SessionState::warning;
  if (word == "closed") return SessionState::closed;
  return SessionState::unknown;
}

SessionEvent read_event(std::uint64_t id, const std::string& state, const Facts& facts) {
  const Reader in{facts};
  SessionEvent event{.id = id,
                     .state = parse_state(state),
                     .state_word = tunnel::wire::to_plain_text(state, 32),
                     .reason = in.text("reason"),
                     .text = in.text("text"),
                     .since = in.time("since"),
                     .session = in.text("session"),
                     .peer = in.text("peer"),
                     .mode = in.text("mode"),
                     .hostname = in.text("hostname"),
                     .lan = in.text("lan"),
                     .dns = in.texts("dns"),
                     .echo_ms = in.value<double>("echo_ms"),
                     .expires = in.time("expires"),
                     .resumed = in.value<bool>("resumed"),
                     .interrupted_ms = in.value<double>("interrupted_ms"),
                     .confirm_seconds = in.value<std::uint64_t>("confirm_seconds"),
                     .next = in.value<std::uint64_t>("next"),
                     .up_to_seconds = in.value<std::uint64_t>("up_to_seconds"),
                     .code = in.text("code"),
                     .failed = in.value<bool>("failed"),
                     .rx_bytes = in.value<std::uint64_t>("rx_bytes"),
                     .tx_bytes = in.value<std::uint64_t>("tx_bytes"),
                     .seconds = in.value<std::uint64_t>("seconds")};
  if (in.has("open_ms")) event.open_ms = in.value<double>("open_ms");
  return event;
}

ListedOnsite read_onsite(const Facts& facts) {
  const Reader in{facts};
  return {.name = in.text("name"),
          .site = in.text("site"),
          .hostname = in.text("hostname"),
          .lan = in.text("lan"),
          .dns = in.texts("dns"),
          .uplink = in.text("uplink"),
          .public_address = in.text("public_address"),
          .online = in.value<bool>("online"),
          .since = in.time("since"),
          .busy_with = in.text("busy_with"),
          .busy_since = in.time("busy_since")};
}

RunningSession read_session(const Facts& facts) {
  const Reader in{facts};
  return {.id = in.value<std::uint64_t>("id"),
          .session = in.text("session"),
          .state = in.text("state"),
          .peer = in.text("peer"),
          .mode = in.text("mode"),
          .since = in.time("since"),
          .interrupted_since = in.time("interrupted_since"),
          .rx_bytes = in.value<std::uint64_t>("rx_bytes"),
          .tx_bytes = in.value<std::uint64_t>("tx_bytes")};
}

[[noreturn]] void rethrow(const sdbus::Error& error) {
  throw BusError{error.getName(), error.getMessage()};
}

/// Milliseconds for poll(2), rounded up so that nothing is waited for twice; -1: for ever.
int poll_timeout(std::optional<std::chrono::microseconds> bus,
                 std::optional<tunnel::Clock::time_point> deadline) {
  std::optional<std::chrono::nanoseconds> wait;
  if (bus) wait = *bus;
  if (deadline) {
    const auto left = std::max(*deadline - tunnel::Clock::now(), tunnel::Clock::duration{0});
    wait = wait ? std::min(*wait, left) : left;
  }
  if (!wait) return -1;
  return static_cast<int>(
      std::chrono::ceil<std::chrono::milliseconds>(std::min(*wait, 1h + 0ns)).count());
}

}  // namespace

DeviceBus::DeviceBus(int stop_fd) : stop_fd_{stop_fd} {
  try {
    connection_ = sdbus::createSystemBusConnection();
    agent_ = sdbus::createProxy(*connection_, bus_name, object_path);
  } catch (const sdbus::Error& error) {
    throw BusError{"org.rdv.Error.NoBus", error.getMessage()};
  }
}

DeviceBus::~DeviceBus() = default;

DeviceBus::Turn DeviceBus::run_until(const std::function<bool()>& done,
                                     std::optional<tunnel::Clock::time_point> deadline, int stop_fd,
                                     int input_fd) {
  try {
    for (;;) {
      while (!done() && connection_->processPendingRequest()) {
      }
      if (done()) return Turn::done;
      if (deadline && tunnel::Clock::now() >= *deadline) return Turn::deadline;
      const auto bus = connection_->getEventLoopPollData();
      pollfd fds[] = {{bus.fd, bus.events, 0}, {stop_fd, POLLIN, 0}, {input_fd, POLLIN, 0}};
      const int ready =
          ::poll(fds, std::size(fds), poll_timeout(bus.getRelativeTimeout(), deadline));
      if (ready < 0 && errno != EINTR)
        throw std::system_error{errno, std::generic_category(), "wait for the system bus"};
      if (ready > 0 && fds[1].revents != 0) return Turn::stop;
      if (ready > 0 && fds[2].revents != 0) return Turn::input;
    }
  } catch (const sdbus::Error& error) {
    throw BusError{"org.freedesktop.DBus.Error.Disconnected", error.getMessage()};
  }
}

template <class Result, class... Args>
Result DeviceBus::call(Target target, std::chrono::seconds timeout, int stop_fd,
                       const Args&... args) {
  // Shared with the reply's handler alone, which may be called after we gave up.
  struct Answer {
    std::optional<Result> result;
    std::optional<sdbus::Error> error;
  };
  const auto answer = std::make_shared<Answer>();
  try {
    const std::string name{target.method};  // sdbus-c++ keeps a reference to it
    agent_->callMethodAsync(name)
        .onInterface(target.interface)
        .withTimeout(timeout)
        .withArguments(args...)
        .uponReplyInvoke([answer](const sdbus::Error* error, const Result& result) {
          if (error != nullptr)
            answer->error = *error;
          else
            answer->result = result;
        });
  } catch (const sdbus::Error& error) {
    rethrow(error);
  }
  const auto turn = run_until([&] { return answer->result || answer->error; },
                              tunnel::Clock::now() + timeout, stop_fd);
  if (turn == Turn::stop) throw Stopped{};
  if (turn == Turn::deadline) throw BusError{"org.freedesktop.DBus.Error.NoReply", "no answer"};
  if (answer->error) rethrow(*answer->error);
  return std::move(*answer->result);
}

AgentStatus DeviceBus::status() {
  const auto facts =
      call<Facts>({properties, "GetAll"}, local_timeout, stop_fd_, std::string{interface_name});
  const Reader in{facts};
  return {.name = in.text("Name"),
          .role = in.text("Role"),
          .system = in.text("System"),
          .server = in.text("Server"),
          .connected = in.value<bool>("Connected"),
          .status = in.text("Status"),
          .version = in.text("Version"),
          .uplink = in.text("Uplink"),
          .uplink_fixed = in.value<bool>("UplinkFixed"),
          .port_address = in.text("PortAddress"),
          .ports = {},
          .ports_problem = {}};
}

std::vector<NetworkPort> DeviceBus::ports() {
  const auto rows = call<std::vector<Facts>>({interface_name, "Ports"}, local_timeout, stop_fd_);
  std::vector<NetworkPort> ports;
  for (const auto& row : rows) {
    const Reader in{row};
    ports.push_back({.name = in.text("name"),
                     .is_laptops = in.value<bool>("laptop"),
                     .reason = in.text("reason"),
                     .remedy = in.text("remedy")});
  }
  return ports;
}

std::vector<ListedOnsite> DeviceBus::list() {
  const auto rows = call<std::vector<Facts>>({interface_name, "List"}, server_timeout, stop_fd_);
  std::vector<ListedOnsite> onsites;
  std::transform(rows.begin(), rows.end(), std::back_inserter(onsites), read_onsite);
  return onsites;
}

std::vector<RunningSession> DeviceBus::sessions() {
  const auto rows = call<std::vector<Facts>>({interface_name, "Sessions"}, local_timeout, stop_fd_);
  std::vector<RunningSession> sessions;
  std::transform(rows.begin(), rows.end(), std::back_inserter(sessions), read_session);
  return sessions;
}

Enrolment DeviceBus::enroll(const std::string& code) {
  using Reply = std::tuple<std::string, std::string, std::string>;
  auto [name, role, system] =
      call<Reply>({interface_name, "Enroll"}, enroll_timeout, stop_fd_, code);
  return {.name = std::move(name), .role = std::move(role), .system = std::move(system)};
}

std::uint64_t DeviceBus::open(const OpenRequest& request) {
  Facts options;
  options["mode"] = sdbus::Variant{request.mode};
  options["seconds"] = sdbus::Variant{request.seconds};
  options["wait"] = sdbus::Variant{true};
  if (request.confirm) options["confirm"] = sdbus::Variant{true};
  return call<std::uint64_t>({interface_name, "Open"}, server_timeout, stop_fd_, request.onsite,
                             options);
}

std::uint64_t DeviceBus::hold(const std::string& session) {
  return call<std::uint64_t>({interface_name, "Hold"}, server_timeout, stop_fd_, session);
}

std::uint64_t DeviceBus::switch_mode(const std::string& mode) {
  return call<std::uint64_t>({interface_name, "SwitchMode"}, server_timeout, stop_fd_, mode);
}

void DeviceBus::confirm_mode() {
  call<std::tuple<>>({interface_name, "ConfirmMode"}, local_timeout, stop_fd_);
}

void DeviceBus::fix_uplink(const std::string& interface) {
  call<std::tuple<>>({interface_name, "FixUplink"}, local_timeout, stop_fd_, interface);
}

void DeviceBus::close(std::uint64_t id, const std::string& reason) {
  try {
    call<std::tuple<>>({interface_name, "Close"}, local_timeout, -1, id, reason);
  } catch (const BusError& error) {
    if (!error.name.ends_with(".NotFound")) throw;
  }
}

void DeviceBus::watch_sessions() {
  try {
    agent_->uponSignal("SessionChanged")
        .onInterface(interface_name)
        .call([this](std::uint64_t id, const std::string& state, const Facts& details) {
          if (events_.size() == events_max) events_.pop_front();
          events_.push_back(read_event(id, state, details));
        });
    agent_->finishRegistration();
    agent_watch_ = connection_->addMatch(
        std::string{"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                    "member='NameOwnerChanged',arg0='"} +
            bus_name + "'",
        [this](sdbus::Message& message) {
          std::string name, old_owner, new_owner;
          message >> name >> old_owner >> new_owner;
          if (!old_owner.empty()) agent_gone_ = true;
          agent_back_ = !new_owner.empty();
        });
  } catch (const sdbus::Error& error) {
    rethrow(error);
  }
}

void DeviceBus::watch_port() {
  try {
    port_watch_ = connection_->addMatch(
        "type='signal',sender='org.rdv.Netd1',interface='org.rdv.Netd1',member='InterfaceRemoved'",
        [this](sdbus::Message& message) {
          std::string name;
          message >> name >> port_gone_why_;
          port_gone_ = true;
        });
  } catch (const sdbus::Error& error) {
    rethrow(error);
  }
}

DeviceBus::Woken DeviceBus::wait(std::optional<tunnel::Clock::time_point> deadline, int input_fd) {
  const auto turn =
      run_until([&] { return !events_.empty() || agent_gone_ || agent_back_ || port_gone_; },
                deadline, stop_fd_, input_fd);
  if (turn == Turn::stop) return Woken::stop;
  if (turn == Turn::input) return Woken::input;
  if (turn == Turn::deadline) return Woken::deadline;
  if (!events_.empty()) return Woken::event;
  if (std::exchange(agent_gone_, false)) return Woken::agent_gone;
  if (std::exchange(agent_back_, false)) return Woken::agent_back;
  port_gone_ = false;
  return Woken::port_gone;
}

std::optional<SessionEvent> DeviceBus::take_event(std::uint64_t id) {
  while (!events_.empty()) {
    auto event = std::move(events_.front());
    events_.pop_front();
    if (event.id == id) return event;
  }
  return std::nullopt;
}

}  // namespace device::cli
