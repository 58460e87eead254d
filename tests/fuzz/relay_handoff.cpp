#include "core/relay_handoff.hpp"

#include "fuzz/input.hpp"

#include <map>

/// The relay's side of the hand-off: two legs that send whatever they like, in any order and cut
/// anywhere.
namespace {

using namespace tunnel;
using namespace tunnel::wire;
using core::RelayHandoff;

/// What the relay would do with the machine's answers, and what must hold.
class Relay {
 public:
  void attach(Role side, ByteView behind, std::size_t pending) {
    if (machine_.state(side) != RelayHandoff::State::absent || error_) return;
    FrameReader reader{Channel::data};
    reader.feed(behind);
    note(machine_.on_attached(side, std::move(reader), pending));
  }
  void receive(Role side, ByteView bytes, std::size_t pending) {
    if (!machine_.reads_frames(side)) return;
    note(machine_.on_received(side, bytes, pending));
  }
  void write(Role to, std::size_t count) {
    const auto out = machine_.output(to);
    const auto taken = out.first(std::min(count, out.size()));
    written_[to].insert(written_[to].end(), taken.begin(), taken.end());
    machine_.on_written(to, taken.size());
  }
  void check() const {
    for (const auto side : {Role::master, Role::onsite}) {
      FUZZ_REQUIRE(machine_.output(side).size() <= RelayHandoff::queue_bytes_max);
      if (machine_.is_raw(RelayHandoff::other(side)))
        FUZZ_REQUIRE(machine_.output(side).empty() && !error_);
    }
    if (error_)
      FUZZ_REQUIRE(!machine_.reads_frames(Role::master) && !machine_.reads_frames(Role::onsite));
  }
  /// Each leg was sent whole `inner` frames, and at most one Switch, as the last.
  void check_written() {
    for (const auto side : {Role::master, Role::onsite}) {
      write(side, RelayHandoff::queue_bytes_max);
      FrameReader reader{Channel::data};
      reader.feed(written_[side]);
      bool switched = false;
      for (;;) {
        const auto frame = reader.next();
        FUZZ_REQUIRE(frame.has_value());
        if (!*frame) break;
        FUZZ_REQUIRE(!switched &&
                     ((*frame)->type == FrameType::inner || (*frame)->type == FrameType::switch_));
        switched = (*frame)->type == FrameType::switch_;
      }
      FUZZ_REQUIRE(reader.buffered_bytes() == 0);
      FUZZ_REQUIRE(switched != machine_.takes_frames(side));
    }
  }

 private:
  void note(boost::system::error_code ec) {
    if (error_) FUZZ_REQUIRE(ec == error_);
    error_ = ec;
  }

  RelayHandoff machine_;
  boost::system::error_code error_;
  std::map<Role, Bytes> written_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  Relay relay;
  while (!input.empty()) {
    const auto choice = input.take();
    const auto side = (choice & 1U) != 0 ? Role::master : Role::onsite;
    const std::size_t pending = (choice & 2U) != 0 ? 1 : 0;
    switch (choice >> 2U & 3U) {
      case 0: relay.attach(side, input.take_bytes(choice >> 4U), pending); break;
      case 1: relay.receive(side, input.take_bytes(choice >> 4U), pending); break;
      case 2:
        relay.receive(side,
                      encode_frame(FrameType::inner, Bytes(input.take<std::uint16_t>() %
                                                           (inner_payload_bytes_max + 1))),
                      pending);
        break;
      case 3: relay.write(side, input.take<std::uint16_t>()); break;
    }
    relay.check();
  }
  relay.check_written();
  return 0;
}
