#pragma once
#include "net_fixture.hpp"

#include <future>

namespace support {

/// A master and an onsite of their own, both online.
struct Pair {
  using Role = wire::Role;
  Pair(ServerFixture& server, std::size_t number, Cut cut)
      : port{server.port()},
        master_device{server.new_device("m" + std::to_string(number), Role::master)},
        onsite_device{server.new_device("o" + std::to_string(number), Role::onsite)},
        master{std::make_unique<ControlPeer>(port, master_device, cut)},
        onsite{std::make_unique<ControlPeer>(port, onsite_device, cut)} {}

  /// Both control connections anew, as devices that still hold this session.
  void come_back(std::uint64_t session) {
    onsite =
        std::make_unique<ControlPeer>(port, onsite_device, Cut::as_written, std::vector{session});
    master =
        std::make_unique<ControlPeer>(port, master_device, Cut::as_written, std::vector{session});
  }
  /// Both ask for new legs and get the same grant.
  Granted resume(std::uint64_t session, std::uint32_t epoch) {
    const auto nonces = std::pair{crypto::random_nonce(), crypto::random_nonce()};
    master->send(wire::Resume{session, epoch, nonces.second});
    master->send(wire::Ping{.token = epoch});
    (void)master->expect<wire::Pong>();  // now this nonce counts, and none that was sent before
    onsite->send(wire::Resume{session, epoch, nonces.first});
    const auto to_onsite = onsite->expect<wire::Granted>();
    const auto to_master = master->expect<wire::Granted>();
    auto grant = wire::decode_grant(to_master.grant);
    if (!grant || to_onsite.grant != to_master.grant || to_master.request != 0)
      throw PeerError{"not the same grant"};
    if (grant->onsite_nonce != nonces.first || grant->master_nonce != nonces.second)
      throw PeerError{"not our nonces"};
    return {std::move(*grant)};
  }
  Granted open() { return open_session(*master, *onsite, onsite_device.identity.name); }
  void close(const Granted& granted) {
    master->send(wire::Close{.session = granted.grant.session});
    master->tls().flush();
    if (onsite->expect<wire::Close>().session != granted.grant.session)
      throw PeerError{"the wrong session was closed"};
  }

  std::uint16_t port;
  Device master_device, onsite_device;
  std::unique_ptr<ControlPeer> master, onsite;
};

/// Both legs of one grant.
struct LegPair {
  LegPair(Pair& pair, const Granted& granted)
      : master{pair.port, pair.master_device, granted.grant, Cut::as_written},
        onsite{pair.port, pair.onsite_device, granted.grant, Cut::as_written} {}
  void join() {
    auto other = std::async(std::launch::async, [this] { onsite.join(); });
    master.join();
    other.get();
  }
  /// A word in each direction.
  void greet() {
    master.send(tunnel::as_bytes("to the onsite"));
    onsite.send(tunnel::as_bytes("to the master"));
    if (tunnel::as_text(onsite.receive(13)) != "to the onsite" ||
        tunnel::as_text(master.receive(13)) != "to the master")
      throw PeerError{"not what was sent"};
  }
  LegPeer master, onsite;
};

/// A server and one session on it, whose legs are joined.
struct JoinedSession {
  explicit JoinedSession(rdv::Limits limits = {})
      : server{limits},
        pair{server, 0, Cut::as_written},
        granted{pair.open()},
        legs{pair, granted} {
    legs.join();
  }

  ServerFixture server;
  Pair pair;
  Granted granted;
  LegPair legs;
};

}  // namespace support
