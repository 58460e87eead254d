#pragma once
#include "core/device_control.hpp"

#include <array>
#include <vector>

/// What the tests of a device's machines share: two devices, their server's words, and ways to ask
/// for an action.
namespace tunnel::core::test {

using namespace std::chrono_literals;
using wire::CloseCode;
using wire::Role;
using State = DeviceSession::State;

inline const Clock::time_point t0{1h};

inline wire::Name name(std::string_view text) {
  return *wire::Name::parse(text);
}

inline wire::Hash hash_of(std::uint8_t n) {
  wire::Hash hash{};
  hash.fill(std::byte{n});
  return hash;
}

/// A device and the server it speaks with. Nonces are 1, 2, 3, ... repeated.
struct Device {
  explicit Device(wire::Role role_)
      : role{role_},
        control{{{name("acme"), role, own_name()}, own_key()},
                {.is_signed = [this](ByteView, ByteView) { return grants_are_signed; },
                 .fresh_nonce =
                     [this] {
                       wire::Nonce nonce{};
                       nonce.fill(static_cast<std::byte>(++nonces));
                       return nonce;
                     },
                 .random = [this] { return random; }}} {}

  wire::Name own_name() const { return name(role == wire::Role::master ? "master1" : "rpi1100"); }
  wire::Hash own_key() const { return hash_of(role == wire::Role::master ? 1 : 2); }

  wire::Welcome welcome() const {
    return {.server_time = 1000,
            .system = name("acme"),
            .name = own_name(),
            .role = role,
            .public_address = "198.51.100.1"};
  }
  /// Connected and welcomed.
  void go_online() {
    control.on_connected({});
    control.on_message(welcome(), t0);
  }
  /// A grant that answers this device's last nonce.
  wire::Grant grant(std::uint64_t session = 77) const {
    wire::Nonce nonce{};
    nonce.fill(static_cast<std::byte>(nonces));
    wire::Grant grant{.session = session,
                      .master = {name("master1"), hash_of(1)},
                      .onsite = {name("rpi1100"), hash_of(2)},
                      .system = name("acme"),
                      .seconds = 3600,
                      .server_time = 1000,
                      .tunnel = *Ipv4Prefix::parse("192.168.200.4/30")};
    (role == wire::Role::master ? grant.master_nonce : grant.onsite_nonce) = nonce;
    return grant;
  }
  wire::Granted granted(const wire::Grant& grant, std::uint32_t request = 0) const {
    return {.request = request, .grant = wire::encode_grant(grant), .signature = {}, .peer = {}};
  }
  /// A master that asked for rpi1100; @return the number of its Open
  std::uint32_t open(std::uint64_t id = 1) {
    control.open(id, {.onsite = name("rpi1100")}, t0);
    return control.session()->request_number();
  }
  wire::Offer offer(std::uint64_t session = 77) const {
    return {.session = session, .master = name("master1"), .seconds = 3600};
  }

  /// Online, with session 77 (local id 1 at a master) established at t0.
  std::uint64_t establish() {
    go_online();
    const auto request = role == wire::Role::master ? open() : 0;
    if (role == wire::Role::onsite) control.on_message(offer(), t0);
    control.on_message(granted(grant(), request), t0);
    const auto id = control.session()->id();
    control.on_established(id, t0);
    return id;
  }
  /// A grant for new legs, with this device's last nonce.
  wire::Granted regranted(std::uint32_t epoch) const {
    auto again = grant();
    again.epoch = epoch;
    again.seconds = 1800;
    return granted(again);
  }

  wire::Role role;
  bool grants_are_signed = true;
  unsigned nonces = 0;
  std::uint64_t random = 0;
  DeviceControl control;
};

template <class Action>
const Action* find(const ControlActions& actions) {
  for (const auto& action : actions)
    if (const auto* found = std::get_if<Action>(&action)) return found;
  return nullptr;
}

/// The first message of this kind that is to be sent.
template <class Message>
const Message* sent(const ControlActions& actions) {
  for (const auto& action : actions)
    if (const auto* send = std::get_if<SendMessage>(&action))
      if (const auto* found = std::get_if<Message>(&send->message)) return found;
  return nullptr;
}

// --- a session that was established, and what may happen to its leg

inline constexpr std::array roles{wire::Role::master, wire::Role::onsite};

/// Long after it was established: the loss is a new trouble.
inline const auto later = t0 + 1min;

inline ControlActions lose(Device& device, Clock::time_point now = later,
                           wire::CloseCode code = wire::CloseCode::network) {
  const auto& session = *device.control.session();
  return device.control.on_leg_lost(session.id(), session.epoch(), code, "cut", now);
}

inline wire::Interrupted interrupted(std::uint32_t epoch) {
  return {.session = 77, .epoch = epoch};
}

inline DeviceSession::State state_of(const Device& device) {
  return device.control.session() ? device.control.session()->state()
                                  : DeviceSession::State::closed;
}

inline void go_offline(Device& device, Clock::time_point now) {
  device.control.on_disconnected(now);
}

/// What it sends and does when it comes back.
inline ControlActions come_back(Device& device, Clock::time_point now) {
  device.control.on_connected({});
  return device.control.on_message(device.welcome(), now);
}

}  // namespace tunnel::core::test
