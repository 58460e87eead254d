#pragma once
#include "broker.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <vector>

/// A broker with devices made of memory, keys made of nothing, and a clock that only the test
/// moves.
namespace rdv::test {

using namespace std::chrono_literals;

namespace wire = tunnel::wire;

inline wire::Name name(std::string_view text) {
  return wire::Name::parse(text).value();
}
inline tunnel::Ipv4Prefix prefix(std::string_view text) {
  return tunnel::Ipv4Prefix::parse(text).value();
}
inline tunnel::Ipv4Address address(std::string_view text) {
  return tunnel::Ipv4Address::parse(text).value();
}

/// 2026-01-14 09:12:00 UTC
inline constexpr tunnel::UnixSeconds start_unix = 1'768'381'920;

class MemoryDirectory final : public Directory {
 public:
  std::optional<DeviceRecord> find(const wire::Name& name) override;
  std::vector<DeviceRecord> onsites_of(const wire::Name& system) override;
  void note_seen(const wire::Name& name, tunnel::UnixSeconds when) override;

  std::map<wire::Name, DeviceRecord> devices;
  bool broken = false;  ///< every question throws
};

/// Signs with a constant; numbers count up.
class PlainIssuer final : public Issuer {
 public:
  std::uint64_t random() override { return ++counter; }
  tunnel::Bytes sign_grant(tunnel::ByteView) override;
  Renewal renew(const DeviceRecord&, tunnel::ByteView csr, tunnel::UnixSeconds) override;

  std::uint64_t counter = 0;
  bool broken = false;
};

struct BrokerFixture {
  explicit BrokerFixture(BrokerSettings settings = {.deny = {address("203.0.113.10")}})
      : broker{directory, issuer, std::move(settings)} {
    add("rpi1100", wire::Role::onsite);
    add("rpi1200", wire::Role::onsite);
    add("rpi2001", wire::Role::master);
    add("rpi2002", wire::Role::master);
  }

  // --- the world ---
  void add(std::string_view device, wire::Role role, std::string_view system = "default");
  DeviceRecord& record(std::string_view device) { return directory.devices.at(name(device)); }
  PeerFacts peer(std::string_view device) const;
  void wait(tunnel::Clock::duration time) {
    now.steady += time;
    now.unix += std::chrono::duration_cast<std::chrono::seconds>(time).count();
  }

  // --- events; each keeps what the broker answered in `actions` ---
  ConnectionId connect(std::string_view device);  ///< TLS only
  ConnectionId online(std::string_view device, const wire::Info& info = info_of("192.168.1.10/24"));
  /// It comes back and names the sessions it still holds.
  ConnectionId back(std::string_view device, std::vector<std::uint64_t> held);
  void send(ConnectionId from, const wire::ControlMessage& message);
  void lose(ConnectionId connection) { take(broker.on_disconnected(connection, "eof", now)); }
  void tick() { take(broker.on_tick(now)); }
  /// Lets time pass as a server does: a tick at every deadline on the way.
  void run_until(tunnel::Clock::time_point end);
  void take(Actions more);

  /// Master and onsite from Open to Granted. @return the session
  std::uint64_t grant(ConnectionId master, ConnectionId onsite, const wire::Open& open);
  /// As grant(), with both legs attached.
  std::uint64_t run(ConnectionId master, ConnectionId onsite, const wire::Open& open);
  std::string attach(std::string_view device, std::uint64_t session, std::uint32_t epoch = 1);

  static wire::Resume resume_of(std::uint64_t session, std::uint32_t epoch, int nonce = 1);
  static wire::Info info_of(std::string_view lan);
  static wire::Open open_of(std::string_view onsite, std::uint32_t request = 1);
  static wire::Accept accept_of(std::uint64_t session);

  // --- what came out since the last event ---
  template <class Message>
  std::vector<Message> sent(ConnectionId to) const {
    std::vector<Message> found;
    for (const auto& action : actions)
      if (const auto* send = std::get_if<SendTo>(&action); send && send->connection == to)
        if (const auto* message = std::get_if<Message>(&send->message)) found.push_back(*message);
    return found;
  }
  /// The one message of this type to `to`.
  template <class Message>
  Message only(ConnectionId to) const {
    auto found = sent<Message>(to);
    BOOST_REQUIRE_EQUAL(found.size(), 1U);
    return found.front();
  }
  std::size_t sent_count() const;
  /// The Goodbye with which the connection was closed, if it was.
  std::optional<wire::Goodbye> goodbye(ConnectionId to) const;
  bool closed(ConnectionId connection) const;
  template <class Kind>
  std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const auto& action : actions)
      if (const auto* one = std::get_if<Kind>(&action)) found.push_back(*one);
    return found;
  }
  bool noted(Event::Kind kind) const;

  MemoryDirectory directory;
  PlainIssuer issuer;
  Broker broker;
  Now now{tunnel::Clock::time_point{} + 1h, start_unix};
  Actions actions;
  std::uint64_t last_connection = 0;
};

}  // namespace rdv::test
