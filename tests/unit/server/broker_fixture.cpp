#include "broker_fixture.hpp"

#include <stdexcept>

namespace rdv::test {

namespace {

wire::Hash key_of(std::string_view device) {
  wire::Hash hash{};
  for (std::size_t i = 0; i < device.size() && i < hash.size(); ++i)
    hash[i] = static_cast<std::byte>(device[i]);
  return hash;
}

}  // namespace

std::optional<DeviceRecord> MemoryDirectory::find(const wire::Name& name) {
  if (broken) throw std::runtime_error{"the disk is on fire"};
  const auto it = devices.find(name);
  if (it == devices.end()) return std::nullopt;
  return it->second;
}

std::vector<DeviceRecord> MemoryDirectory::onsites_of(const wire::Name& system) {
  if (broken) throw std::runtime_error{"the disk is on fire"};
  std::vector<DeviceRecord> found;
  for (const auto& [name, device] : devices)
    if (device.system == system && device.role == wire::Role::onsite &&
        device.state != DeviceState::revoked)
      found.push_back(device);
  return found;
}

void MemoryDirectory::note_seen(const wire::Name& name, tunnel::UnixSeconds when) {
  if (const auto it = devices.find(name); it != devices.end()) it->second.last_seen = when;
}

tunnel::Bytes PlainIssuer::sign_grant(tunnel::ByteView) {
  if (broken) throw std::runtime_error{"the key is gone"};
  return tunnel::to_bytes("signed");
}

Issuer::Renewal PlainIssuer::renew(const DeviceRecord& device, tunnel::ByteView csr,
                                   tunnel::UnixSeconds) {
  if (tunnel::as_text(csr) != "good") return {{}, "the request is not acceptable"};
  return {tunnel::to_bytes("certificate of " + device.name.str()), {}};
}

void BrokerFixture::add(std::string_view device, wire::Role role, std::string_view system) {
  directory.devices.insert_or_assign(name(device), DeviceRecord{.name = name(device),
                                                                .system = name(system),
                                                                .role = role,
                                                                .site = "a site",
                                                                .state = DeviceState::enrolled,
                                                                .key_hash = key_of(device),
                                                                .revoked_reason = {},
                                                                .allow = {}});
}

PeerFacts BrokerFixture::peer(std::string_view device) const {
  const auto& record = directory.devices.at(name(device));
  return {record.identity(), key_of(device), "198.51.100.7"};
}

void BrokerFixture::take(Actions more) {
  actions = std::move(more);
}

ConnectionId BrokerFixture::connect(std::string_view device) {
  const ConnectionId id{++last_connection};
  take(broker.on_connected(id, peer(device), now));
  return id;
}

ConnectionId BrokerFixture::online(std::string_view device, const wire::Info& info) {
  const auto id = connect(device);
  BOOST_REQUIRE(!closed(id));
  send(id, wire::Hello{.info = info});
  return id;
}

ConnectionId BrokerFixture::back(std::string_view device, std::vector<std::uint64_t> held) {
  const auto id = connect(device);
  BOOST_REQUIRE(!closed(id));
  send(id, wire::Hello{.info = info_of("192.168.1.10/24"), .sessions = std::move(held)});
  return id;
}

wire::Resume BrokerFixture::resume_of(std::uint64_t session, std::uint32_t epoch, int nonce) {
  return {.session = session, .epoch = epoch, .nonce = {static_cast<std::byte>(nonce)}};
}

void BrokerFixture::send(ConnectionId from, const wire::ControlMessage& message) {
  take(broker.on_message(from, message, now));
}

void BrokerFixture::run_until(tunnel::Clock::time_point end) {
  Actions all;
  while (broker.next_deadline() <= end) {
    wait(std::max(broker.next_deadline() - now.steady, tunnel::Clock::duration::zero()));
    for (auto& action : broker.on_tick(now))
      all.push_back(std::move(action));
  }
  wait(end - now.steady);
  take(std::move(all));
}

std::uint64_t BrokerFixture::grant(ConnectionId master, ConnectionId onsite,
                                   const wire::Open& open) {
  send(master, open);
  const auto session = only<wire::Offer>(onsite).session;
  send(onsite, accept_of(session));
  BOOST_REQUIRE_EQUAL(sent<wire::Granted>(master).size(), 1U);
  return session;
}

std::uint64_t BrokerFixture::run(ConnectionId master, ConnectionId onsite, const wire::Open& open) {
  const auto session = grant(master, onsite, open);
  const auto* found = broker.find_session(session);
  BOOST_REQUIRE_EQUAL(attach(found->onsite.name.str(), session), "");
  BOOST_REQUIRE_EQUAL(attach(found->master.name.str(), session), "");
  BOOST_REQUIRE_EQUAL(all<StartRelay>().size(), 1U);
  return session;
}

std::string BrokerFixture::attach(std::string_view device, std::uint64_t session,
                                  std::uint32_t epoch) {
  auto outcome = broker.on_attach(peer(device), {session, epoch}, now);
  take(std::move(outcome.actions));
  const auto* refusal = std::get_if<wire::Close>(&outcome.leg);
  return refusal ? refusal->text : std::string{};
}

wire::Info BrokerFixture::info_of(std::string_view lan) {
  return {.software = "0.1.0",
          .hostname = "host",
          .lan = prefix(lan),
          .dns = {address("192.168.1.1")},
          .uplink = wire::UplinkKind::lan,
          .capabilities = {}};
}

wire::Open BrokerFixture::open_of(std::string_view onsite, std::uint32_t request) {
  wire::Nonce nonce{};
  nonce[0] = std::byte{0x11};
  return {.request = request, .onsite = name(onsite), .nonce = nonce};
}

wire::Accept BrokerFixture::accept_of(std::uint64_t session) {
  wire::Nonce nonce{};
  nonce[0] = std::byte{0x22};
  return {.session = session, .nonce = nonce};
}

std::size_t BrokerFixture::sent_count() const {
  return all<SendTo>().size();
}

std::optional<wire::Goodbye> BrokerFixture::goodbye(ConnectionId to) const {
  for (const auto& action : actions)
    if (const auto* close = std::get_if<CloseConnection>(&action); close && close->connection == to)
      return close->goodbye;
  return std::nullopt;
}

bool BrokerFixture::closed(ConnectionId connection) const {
  for (const auto& close : all<CloseConnection>())
    if (close.connection == connection) return true;
  return false;
}

bool BrokerFixture::noted(Event::Kind kind) const {
  for (const auto& note : all<Note>())
    if (note.event.kind == kind) return true;
  return false;
}

}  // namespace rdv::test
