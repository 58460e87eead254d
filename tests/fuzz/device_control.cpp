#include "core/device_control.hpp"

#include "fuzz/input.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

/// A device on its control connection: a server that sends anything at any time, between whatever
/// the user does.
namespace {

using namespace tunnel;
using namespace tunnel::wire;
using namespace tunnel::core;

Name name(const char* text) {
  return Name::parse(text).value();
}
const Bytes good_signature = to_bytes("signed");

class Device {
 public:
  explicit Device(Role role)
      : machine_{{{name("rdv"), role, name("me")}, Hash{std::byte{1}}},
                 {[](ByteView, ByteView signature) {
                    return std::ranges::equal(signature, good_signature);
                  },
                  [this] { return Nonce{static_cast<std::byte>(++nonces_)}; },
                  [this] { return random_ += 0x9e3779b97f4a7c15; }}} {}

  void step(fuzz::Input& input) {
    switch (input.below(18)) {
      case 0: connect(); break;
      case 1: disconnect(); break;
      case 2: pass(std::chrono::milliseconds{input.take<std::uint16_t>() * 4}); break;
      case 3: receive(static_cast<FrameType>(input.take()), input.take_block()); break;
      case 4: say(Welcome{1, 25, 0, name("rdv"), name("me"), role(), ""}); break;
      case 5: say(Waiting{request(input), RefusalCode::offline, "", 0}); break;
      case 6: say(Refused{request(input), RefusalCode::busy, ""}); break;
      case 7:
        say(Offer{session(input), name("peer"), input.flag() ? Mode::l3 : Mode::l2, 60,
                  std::nullopt});
        break;
      case 8: grant(input); break;
      case 9: say(Close{session(input), CloseCode::administrator, ""}); break;
      case 10:
        say(Listing{request(input),
                    std::vector<ListedDevice>(input.below(33),
                                              {name("a"), "", {}, "", true, 0, std::nullopt, 0}),
                    input.flag()});
        break;
      case 11: say(Renewed{to_bytes("pem")}); break;
      case 12: open(input); break;
      case 13: end(input); break;
      case 14: ask(input); break;
      case 15: say(Goodbye{GoodbyeCode::shutting_down, "", 1000}); break;
      case 16: say(Interrupted{session(input), input.below(8) == 0 ? ~0U : epoch() + 1}); break;
      case 17: lose(input); break;
    }
    check();
  }

 private:
  Role role() const { return machine_.self().identity.role; }
  bool online() const { return machine_.state() == DeviceControl::State::online; }

  void connect() {
    if (machine_.state() == DeviceControl::State::offline)
      run(machine_.on_connected(Info{.software = "fuzz"}));
  }
  void disconnect() {
    if (machine_.state() != DeviceControl::State::offline) run(machine_.on_disconnected(now_));
  }
  void pass(Clock::duration time) {
    now_ += time;
    for (int again = 0; machine_.next_deadline() <= now_; ++again) {
      FUZZ_REQUIRE(again < 10);  // time goes on
      run(machine_.on_deadline(now_));
    }
  }
  /// As the agent does it: what cannot be decoded ends the connection.
  void receive(FrameType type, ByteView payload) {
    if (machine_.state() == DeviceControl::State::offline) return;
    const auto message = decode_control(type, payload);
    if (message)
      run(machine_.on_message(*message, now_));
    else
      disconnect();
  }
  void say(const ControlMessage& message) {
    if (machine_.state() != DeviceControl::State::offline) run(machine_.on_message(message, now_));
  }
  /// Mostly the numbers it waits for.
  std::uint32_t request(fuzz::Input& input) { return input.below(4) == 0 ? input.take() : asked_; }
  std::uint64_t session(fuzz::Input& input) { return input.below(4) == 0 ? input.take() + 1 : 77; }

  void grant(fuzz::Input& input) {
    const bool master = role() == Role::master;
    const Party me{name("me"), Hash{std::byte{1}}};
    const Party peer{name("peer"), Hash{std::byte{2}}};
    Grant grant{.session = session(input),
                .epoch = input.below(8) == 0 ? input.take<std::uint32_t>() | 1U : epoch() + 1,
                .master = master ? me : peer,
                .onsite = master ? peer : me,
                .system = name("rdv"),
                .allow = {},
                .seconds = 60,
                .tunnel = {{tunnel_pool}, 30},
                .dns = {},
                .deny = {}};
    (master ? grant.master_nonce : grant.onsite_nonce) =
        Nonce{static_cast<std::byte>(input.below(4) == 0 ? 0 : nonces_)};
    if (input.below(8) == 0) grant.mode = Mode::l2;
    const auto answers = epoch() > 0 ? 0 : request(input);
    say(Granted{answers, encode_grant(grant), input.below(8) == 0 ? Bytes{} : good_signature, {}});
  }
  std::uint32_t epoch() const { return machine_.session() ? machine_.session()->epoch() : 0; }
  void lose(fuzz::Input& input) {
    if (!machine_.session()) return;
    const auto code =
        input.flag() ? CloseCode::network : static_cast<CloseCode>(1 + input.below(255));
    const auto lost = input.below(4) == 0 ? input.take() : epoch();
    run(machine_.on_leg_lost(machine_.session()->id(), lost, code, "", now_));
  }
  void open(fuzz::Input& input) {
    if (role() == Role::master && !machine_.session())
      run(machine_.open(++opened_, {.onsite = name("peer"), .seconds = 60, .wait = input.flag()},
                        now_));
  }
  void end(fuzz::Input& input) {
    const auto id =
        machine_.session() && input.below(4) != 0 ? machine_.session()->id() : input.take();
    if (input.flag())
      machine_.on_established(id, now_);
    else
      run(machine_.end(id, CloseCode::operator_, "enough"));
  }
  void ask(fuzz::Input& input) {
    switch (input.below(5)) {
      case 0:
        if (role() == Role::master && online()) run(machine_.list(asked_));
        break;
      case 1:
        if (online()) run(machine_.renew(to_bytes("csr")));
        break;
      case 2: machine_.set_unready(input.flag() ? "no network" : ""); break;
      case 3:
        machine_.set_networks({{{tunnel_pool}, static_cast<std::uint8_t>(input.below(33))}});
        break;
      case 4: run(machine_.on_info(Info{.hostname = std::string(input.below(64), 'h')})); break;
    }
  }

  void run(const ControlActions& actions) {
    bool dropped = false;
    for (const auto& action : actions) {
      if (const auto* send = std::get_if<SendMessage>(&action)) sent(send->message);
      if (const auto* start = std::get_if<StartSession>(&action)) started(*start);
      if (const auto* interrupted = std::get_if<SessionInterrupted>(&action))
        FUZZ_REQUIRE(epochs_.contains(interrupted->id) && !over_.contains(interrupted->id));
      if (const auto* over = std::get_if<SessionOver>(&action))
        FUZZ_REQUIRE(over_.insert(over->id).second);
      dropped |= std::holds_alternative<DropConnection>(action) ||
                 std::holds_alternative<ServerSaidGoodbye>(action);
    }
    if (dropped) disconnect();
  }
  /// It goes out while there is a connection, and the server takes it.
  void sent(const ControlMessage& message) {
    FUZZ_REQUIRE(machine_.state() != DeviceControl::State::offline);
    const auto frame = encode(message);
    FUZZ_REQUIRE(
        decode_control(static_cast<FrameType>(frame[0]), ByteView{frame}.subspan(header_bytes))
            .has_value());
    if (const auto* open = std::get_if<Open>(&message)) asked_ = open->request;
  }
  /// Its own number, and then only newer epochs, with the time limit never put off.
  void started(const StartSession& start) {
    auto& [newest, ends] = epochs_.try_emplace(start.id, 0, Clock::time_point::max()).first->second;
    FUZZ_REQUIRE(start.grant.epoch > newest && (newest > 0 || start.grant.epoch == 1));
    FUZZ_REQUIRE(start.ends <= ends && start.ends <= now_ + std::chrono::seconds{60});
    newest = start.grant.epoch;
    ends = start.ends;
  }
  void check() const {
    if (!machine_.session()) return;
    FUZZ_REQUIRE(machine_.session()->state() != DeviceSession::State::closed);
    FUZZ_REQUIRE(!over_.contains(machine_.session()->id()));
  }

  int nonces_ = 0;
  std::uint64_t random_ = 0;
  std::uint32_t asked_ = 0;
  std::uint64_t opened_ = 0;
  std::set<std::uint64_t> over_;
  std::map<std::uint64_t, std::pair<std::uint32_t, Clock::time_point>> epochs_;
  Clock::time_point now_{};
  DeviceControl machine_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, std::min<std::size_t>(size, 4096)};
  Device device{input.flag() ? Role::master : Role::onsite};
  while (!input.empty())
    device.step(input);
  return 0;
}
