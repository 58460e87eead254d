#include "broker.hpp"

#include "fuzz/input.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

/// The server's broker: a handful of devices that send anything in any order, legs that come and
/// go, an administrator.
namespace {

using namespace tunnel;
using namespace tunnel::wire;
using namespace rdv;

Name name(std::string_view text) {
  return Name::parse(text).value();
}

const std::vector<Identity>& devices() {
  static const std::vector<Identity> all{
      {name("rdv"), Role::master, name("m1")}, {name("rdv"), Role::master, name("m2")},
      {name("rdv"), Role::onsite, name("o1")}, {name("rdv"), Role::onsite, name("o2")},
      {name("two"), Role::onsite, name("o3")}, {name("rdv"), Role::onsite, name("nobody")}};
  return all;
}
Hash key_of(std::size_t device) {
  return Hash{static_cast<std::byte>(device + 1)};
}

/// All devices but the last, which nobody registered.
class Records final : public Directory {
 public:
  std::optional<DeviceRecord> find(const Name& wanted) override {
    fail_if_broken();
    for (std::size_t i = 0; i + 1 < devices().size(); ++i)
      if (devices()[i].name == wanted) return record(i);
    return std::nullopt;
  }
  std::vector<DeviceRecord> onsites_of(const Name& system) override {
    fail_if_broken();
    std::vector<DeviceRecord> all;
    for (std::size_t i = 0; i + 1 < devices().size(); ++i)
      if (devices()[i].role == Role::onsite && devices()[i].system == system &&
          !revoked.contains(i))
        all.push_back(record(i));
    return all;
  }
  void note_seen(const Name&, UnixSeconds) override {}

  std::set<std::size_t> revoked;
  bool broken = false;  ///< the disk is full

 private:
  void fail_if_broken() const {
    if (broken) throw std::runtime_error{"read rdv.db: disk I/O error"};
  }
  DeviceRecord record(std::size_t i) const {
    DeviceRecord made{.name = devices()[i].name,
                      .system = devices()[i].system,
                      .role = devices()[i].role,
                      .site = "site",
                      .key_hash = key_of(i),
                      .allow = {}};
    made.state = revoked.contains(i) ? DeviceState::revoked : DeviceState::enrolled;
    return made;
  }
};

class Keys final : public Issuer {
 public:
  std::uint64_t random() override {
    return last_ = last_ * 6364136223846793005U + 1442695040888963407U;
  }
  Bytes sign_grant(ByteView) override {
    if (broken) throw std::runtime_error{"sign: no entropy"};
    return to_bytes("signed");
  }
  Renewal renew(const DeviceRecord&, ByteView csr, UnixSeconds) override {
    if (csr.size() % 2 == 0) return {.certificate = {}, .refusal = "no"};
    return {.certificate = to_bytes("pem"), .refusal = ""};
  }

  bool broken = false;

 private:
  std::uint64_t last_ = 1;
};

class World {
 public:
  void step(fuzz::Input& input) {
    const auto device = input.below(devices().size());
    switch (input.below(16)) {
      case 0: connect(device, input.below(8) == 0 ? Hash{} : key_of(device)); break;
      case 1: disconnect(connection_of(device)); break;
      case 2: pass(std::chrono::milliseconds{input.take<std::uint16_t>() * 4}); break;
      case 3: receive(device, static_cast<FrameType>(input.take()), input.take_block()); break;
      case 4:
        say(device, Hello{1, static_cast<std::uint32_t>(1 + input.below(2)), facts(input), {}});
        break;
      case 5: say(device, open(input)); break;
      case 6: say(device, Accept{session(input), Nonce{std::byte{9}}}); break;
      case 7: say(device, Decline{session(input), RefusalCode::declined, "no"}); break;
      case 8:
        say(device, Close{session(input), static_cast<CloseCode>(1 + input.below(20)), "enough"});
        break;
      case 9: say(device, Cancel{static_cast<std::uint32_t>(input.below(6))}); break;
      case 10: attach(device, input); break;
      case 11: leg_closed(input); break;
      case 12: relay(input); break;
      case 13: administrate(device, input); break;
      case 14: ask(device, input); break;
      case 15: run(broker_.on_bad_message(connection_of(device), Errc::malformed, now_)); break;
    }
    check();
  }

 private:
  struct Peer {
    std::size_t device;
    PeerFacts facts;
  };

  /// The newest live connection of a device; a number nobody has when there is none.
  ConnectionId connection_of(std::size_t device) const {
    for (auto it = live_.rbegin(); it != live_.rend(); ++it)
      if (it->second.device == device) return it->first;
    return ConnectionId{0};
  }
  static Info facts(fuzz::Input& input) {
    Info info{.software = "fuzz", .hostname = "h"};
    if (input.flag())
      info.lan =
          Ipv4Prefix{{input.take<std::uint32_t>()}, static_cast<std::uint8_t>(input.below(33))};
    info.dns.resize(input.below(dns_servers_max + 1), Ipv4Address{0x01010101});
    return info;
  }
  Open open(fuzz::Input& input) const {
    return {.request = static_cast<std::uint32_t>(1 + input.below(5)),
            .onsite = devices()[input.below(devices().size())].name,
            .mode = input.below(8) == 0 ? Mode::l2 : Mode::l3,
            .nonce = Nonce{std::byte{3}},
            .seconds = input.take<std::uint16_t>(),
            .wait = input.flag()};
  }
  std::uint64_t session(fuzz::Input& input) const {
    const auto all = broker_.sessions();
    return all.empty() || input.below(8) == 0 ? input.take() : all[input.below(all.size())]->id;
  }

  /// That of the session, most often.
  std::uint32_t epoch(std::uint64_t id, fuzz::Input& input) const {
    const auto* found = broker_.find_session(id);
    return found != nullptr && input.below(8) < 7 ? found->epoch
                                                  : static_cast<std::uint32_t>(1 + input.below(3));
  }

  void connect(std::size_t device, Hash key) {
    const ConnectionId id{++last_connection_};
    const Peer peer{device, {devices()[device], key, "203.0.113.5"}};
    live_.emplace(id, peer);
    run(broker_.on_connected(id, peer.facts, now_));
  }
  void disconnect(ConnectionId id) {
    live_.erase(id);
    run(broker_.on_disconnected(id, "the peer is gone", now_));
  }
  void pass(Clock::duration time) {
    now_.steady += time;
    now_.unix += std::chrono::duration_cast<std::chrono::seconds>(time).count();
    for (int again = 0; broker_.next_deadline() <= now_.steady; ++again) {
      FUZZ_REQUIRE(again < 10);  // time goes on
      run(broker_.on_tick(now_));
    }
  }
  /// As the server does it: what cannot be decoded is a bad message.
  void receive(std::size_t device, FrameType type, ByteView payload) {
    const auto id = connection_of(device);
    const auto message = decode_control(type, payload);
    run(message ? broker_.on_message(id, *message, now_)
                : broker_.on_bad_message(id, message.error(), now_));
  }
  void say(std::size_t device, const ControlMessage& message) {
    run(broker_.on_message(connection_of(device), message, now_));
  }

  void attach(std::size_t device, fuzz::Input& input) {
    const PeerFacts facts{devices()[device], input.below(8) == 0 ? Hash{} : key_of(device),
                          "203.0.113.5"};
    const auto id = session(input);
    auto outcome = broker_.on_attach(facts, Attach{id, epoch(id, input)}, now_);
    if (const auto* leg = std::get_if<Broker::Attached>(&outcome.leg)) {
      FUZZ_REQUIRE(leg->epoch == broker_.find_session(leg->session)->epoch);
      FUZZ_REQUIRE(broker_.find_session(leg->session) != nullptr &&
                   leg->side == facts.identity.role);
      FUZZ_REQUIRE(facts.key_hash == key_of(device));
    } else {
      const auto frame = encode_detach(std::get<Close>(outcome.leg));
      FUZZ_REQUIRE(decode_close(ByteView{frame}.subspan(header_bytes)).has_value());
    }
    run(std::move(outcome.actions));
  }
  void leg_closed(fuzz::Input& input) {
    const auto id = session(input);
    const auto of = epoch(id, input);
    const auto flags = input.take();
    run(broker_.on_leg_closed(id, of, (flags & 1U) != 0 ? Role::master : Role::onsite,
                              (flags & 2U) == 0, now_));
  }
  void relay(fuzz::Input& input) {
    constexpr CloseCode codes[] = {CloseCode::idle, CloseCode::network, CloseCode::protocol};
    const auto id = session(input);
    const auto of = epoch(id, input);
    if (input.flag())
      broker_.on_relay_bytes(id, of, input.take<std::uint64_t>(), input.take<std::uint64_t>());
    else
      run(broker_.on_relay_ended(id, of, codes[input.below(3)], "it gave up", now_));
  }
  void administrate(std::size_t device, fuzz::Input& input) {
    switch (input.below(8)) {
      case 0:
        records_.revoked.insert(device);
        run(broker_.on_device_changed(devices()[device].name, GoodbyeCode::revoked, "stolen",
                                      now_));
        FUZZ_REQUIRE(broker_.session_of(devices()[device].name) == nullptr);
        FUZZ_REQUIRE(broker_.registry().find(devices()[device].name) == nullptr);
        break;
      case 1:
        if (auto actions = broker_.close_session(session(input), "by hand", now_))
          run(std::move(*actions));
        break;
      case 2:
        run(broker_.on_shutdown(now_));
        FUZZ_REQUIRE(relaying_.empty() && broker_.connections() == 0);
        for (const auto* kept : broker_.sessions())
          FUZZ_REQUIRE(kept->state == Session::State::interrupted);
        break;
      case 3: records_.broken = input.flag(); break;
      case 4: keys_.broken = input.flag(); break;
      default: records_.revoked.erase(device); break;
    }
  }
  void ask(std::size_t device, fuzz::Input& input) {
    switch (input.below(8)) {
      case 0: say(device, List{1}); break;
      case 1: say(device, Ping{7}); break;
      case 2: say(device, InfoUpdate{facts(input)}); break;
      case 3: say(device, Renew{Bytes(1 + input.below(4))}); break;
      case 4: say(device, Hello{1, 1, facts(input), {session(input), session(input)}}); break;
      case 5: say(device, Interrupted{session(input), 2}); break;
      default: resume(device, input); break;
    }
  }

  void resume(std::size_t device, fuzz::Input& input) {
    const auto id = session(input);
    const auto after = input.below(4) == 0 ? input.take<std::uint32_t>() : 1;
    const auto asked = epoch(id, input) + after;
    if (id != 0 && asked != 0) say(device, Resume{id, asked, Nonce{std::byte{7}}});
  }

  void run(Actions actions) {
    for (const auto& action : actions) {
      if (const auto* send = std::get_if<SendTo>(&action)) {
        FUZZ_REQUIRE(live_.contains(send->connection));
        if (const auto* granted = std::get_if<Granted>(&send->message)) check(*granted);
        const auto frame = encode(send->message);
        FUZZ_REQUIRE(
            decode_control(static_cast<FrameType>(frame[0]), ByteView{frame}.subspan(header_bytes))
                .has_value());
      } else if (const auto* close = std::get_if<CloseConnection>(&action)) {
        if (close->goodbye) static_cast<void>(encode(*close->goodbye));
        FUZZ_REQUIRE(live_.erase(close->connection) == 1);
      } else if (const auto* start = std::get_if<StartRelay>(&action)) {
        FUZZ_REQUIRE(broker_.find_session(start->session) != nullptr);
        FUZZ_REQUIRE(relaying_.insert(start->session).second);
      } else if (const auto* stop = std::get_if<StopRelay>(&action)) {
        relaying_.erase(stop->session);
      }
    }
  }
  /// Both ends get the same one; a later one is of a newer epoch and of the same tunnel.
  void check(const Granted& granted) {
    const auto grant = decode_grant(granted.grant);
    FUZZ_REQUIRE(grant.has_value());
    const auto [before, first] = grants_.try_emplace(grant->session, *grant);
    if (first) return;
    FUZZ_REQUIRE(grant->tunnel == before->second.tunnel && grant->allow == before->second.allow);
    FUZZ_REQUIRE(grant->epoch >= before->second.epoch);
    before->second = *grant;
  }
  void check() const {
    FUZZ_REQUIRE(broker_.connections() <= live_.size());
    std::set<Name> busy;
    for (const auto* running : broker_.sessions()) {
      FUZZ_REQUIRE(busy.insert(running->onsite.name).second);  // an onsite is in one session
      FUZZ_REQUIRE(running->master.name != running->onsite.name);
      FUZZ_REQUIRE(relaying_.contains(running->id) == (running->state == Session::State::running));
      FUZZ_REQUIRE(!(running->master.asked && running->onsite.asked));  // a round that is whole
    }
    for (const auto id : relaying_)
      FUZZ_REQUIRE(broker_.find_session(id) != nullptr);  // a relay has its session
  }

  Records records_;
  Keys keys_;
  Broker broker_{
      records_, keys_,
      BrokerSettings{.connections_max = 16, .sessions_max = 4, .waiting_max = 4, .deny = {}}};
  Now now_{Clock::time_point{} + std::chrono::hours{1}, 1'768'000'000};
  std::uint64_t last_connection_ = 0;
  std::map<ConnectionId, Peer> live_;
  std::set<std::uint64_t> relaying_;
  std::map<std::uint64_t, Grant> grants_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, std::min<std::size_t>(size, 4096)};
  World world;
  while (!input.empty())
    world.step(input);
  return 0;
}
