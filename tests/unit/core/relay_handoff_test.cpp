#define BOOST_TEST_MODULE relay_handoff
#include "core/relay_handoff.hpp"

#include "wire/messages.hpp"

#include <boost/test/unit_test.hpp>

using tunnel::Bytes;
using tunnel::ByteView;
using tunnel::core::RelayHandoff;
using tunnel::wire::Errc;
using tunnel::wire::FrameReader;
using tunnel::wire::FrameType;
using State = RelayHandoff::State;
using Side = RelayHandoff::Side;

namespace {

constexpr auto master = Side::master;
constexpr auto onsite = Side::onsite;

FrameReader fresh() {
  return FrameReader{tunnel::wire::Channel::data};
}
Bytes inner(std::size_t bytes, std::byte value = std::byte{7}) {
  return tunnel::wire::encode_frame(FrameType::inner, Bytes(bytes, value));
}
Bytes switch_frame() {
  return tunnel::wire::encode_frame(FrameType::switch_, {});
}
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Bytes copy(ByteView view) {
  return {view.begin(), view.end()};
}

struct Attached {
  Attached() {
    BOOST_TEST_REQUIRE(!handoff.on_attached(master, fresh(), 0));
    BOOST_TEST_REQUIRE(!handoff.on_attached(onsite, fresh(), 0));
  }
  void write_all(Side to) { handoff.on_written(to, handoff.output(to).size()); }
  RelayHandoff handoff;
};

}  // namespace

BOOST_AUTO_TEST_CASE(frames_of_the_first_leg_wait_for_the_second) {
  RelayHandoff handoff;
  BOOST_TEST(!handoff.reads_frames(master));
  BOOST_TEST(!handoff.on_attached(master, fresh(), 0));
  BOOST_TEST(!handoff.on_received(master, inner(500), 0));
  BOOST_TEST((handoff.state(onsite) == State::absent));
  BOOST_TEST((copy(handoff.output(onsite)) == inner(500)));
}

BOOST_AUTO_TEST_CASE(frames_that_came_right_behind_attach_are_not_lost) {
  auto reader = fresh();
  reader.feed(tunnel::wire::encode(tunnel::wire::Attach{.session = 1, .epoch = 1}) + inner(3) +
              inner(4));
  const auto attach = reader.next();
  BOOST_TEST_REQUIRE((attach && *attach && (*attach)->type == FrameType::attach));
  RelayHandoff handoff;
  BOOST_TEST(!handoff.on_attached(master, std::move(reader), 0));
  BOOST_TEST((copy(handoff.output(onsite)) == inner(3) + inner(4)));
}

BOOST_FIXTURE_TEST_CASE(whatever_the_chunks_the_same_frames_go_out, Attached) {
  const auto in = inner(1) + inner(0) + inner(300) + switch_frame();
  for (const auto byte : in) {
    BOOST_TEST_REQUIRE(handoff.reads_frames(master));
    BOOST_TEST_REQUIRE(!handoff.on_received(master, ByteView{&byte, 1}, 0));
  }
  BOOST_TEST((copy(handoff.output(onsite)) == in));
  BOOST_TEST(!handoff.reads_frames(master));
}

BOOST_FIXTURE_TEST_CASE(a_direction_is_raw_only_when_its_switch_is_in_the_kernel, Attached) {
  BOOST_TEST(!handoff.on_received(onsite, inner(100) + switch_frame(), 0));
  BOOST_TEST((handoff.state(onsite) == State::switched));
  BOOST_TEST(!handoff.is_raw(onsite));
  BOOST_TEST(!handoff.takes_frames(master));
  handoff.on_written(master, handoff.output(master).size() - 1);
  BOOST_TEST(!handoff.is_raw(onsite));
  handoff.on_written(master, 1);
  BOOST_TEST(handoff.is_raw(onsite));
  BOOST_TEST(handoff.reads_frames(master));  // the other direction goes on by itself
  BOOST_TEST(!handoff.is_raw(master));
}

BOOST_FIXTURE_TEST_CASE(each_direction_switches_by_itself, Attached) {
  BOOST_TEST(!handoff.on_received(onsite, switch_frame(), 0));
  write_all(master);
  BOOST_TEST(!handoff.on_received(master, inner(9), 0));
  BOOST_TEST((copy(handoff.output(onsite)) == inner(9)));
  write_all(onsite);
  BOOST_TEST(!handoff.on_received(master, switch_frame(), 0));
  write_all(onsite);
  BOOST_TEST(handoff.is_raw(onsite));
  BOOST_TEST(handoff.is_raw(master));
}

BOOST_FIXTURE_TEST_CASE(bytes_behind_switch_end_the_session, Attached) {
  BOOST_TEST((handoff.on_received(master, switch_frame() + Bytes{std::byte{0}}, 0) ==
              Errc::behind_switch));
  BOOST_TEST(!handoff.is_raw(master));
  BOOST_TEST(!handoff.reads_frames(onsite));
  BOOST_TEST((handoff.on_received(onsite, inner(1), 0) == Errc::behind_switch));
}

BOOST_FIXTURE_TEST_CASE(bytes_that_tls_still_holds_behind_switch_end_the_session, Attached) {
  BOOST_TEST((handoff.on_received(master, switch_frame(), 1) == Errc::behind_switch));
}

BOOST_FIXTURE_TEST_CASE(a_whole_frame_behind_switch_ends_the_session, Attached) {
  BOOST_TEST(
      (handoff.on_received(master, switch_frame() + switch_frame(), 0) == Errc::behind_switch));
}

BOOST_FIXTURE_TEST_CASE(bytes_that_tls_holds_behind_an_inner_frame_are_read_later, Attached) {
  BOOST_TEST(!handoff.on_received(master, inner(10), 5));
  BOOST_TEST(handoff.reads_frames(master));
}

BOOST_FIXTURE_TEST_CASE(frames_that_only_the_server_sends_or_that_came_already_end_the_session,
                        Attached) {
  BOOST_TEST((handoff.on_received(master, tunnel::wire::encode_frame(FrameType::detach, {}), 0) ==
              Errc::unexpected));
  RelayHandoff second;
  BOOST_TEST(!second.on_attached(onsite, fresh(), 0));
  BOOST_TEST((second.on_received(onsite, tunnel::wire::encode(tunnel::wire::Attach{}), 0) ==
              Errc::unexpected));
}

BOOST_FIXTURE_TEST_CASE(unknown_frames_are_skipped_when_optional_and_end_the_session_otherwise,
                        Attached) {
  const Bytes optional{std::byte{0x9f}, {}, {}, std::byte{2}, {}, {}};
  BOOST_TEST(!handoff.on_received(master, optional + inner(1), 0));
  BOOST_TEST((copy(handoff.output(onsite)) == inner(1)));
  const Bytes critical{std::byte{0x1f}, {}, {}, {}};
  BOOST_TEST((handoff.on_received(master, critical, 0) == Errc::unknown_type));
}

BOOST_FIXTURE_TEST_CASE(the_queue_of_a_direction_is_bounded, Attached) {
  const auto frame = inner(1020);  // 1 KiB with its header
  for (std::size_t sent = 0; sent < tunnel::wire::inner_handshake_bytes_max; sent += frame.size())
    BOOST_TEST_REQUIRE(!handoff.on_received(master, frame, 0));
  BOOST_TEST(handoff.output(onsite).size() < RelayHandoff::queue_bytes_max);
  BOOST_TEST((handoff.on_received(master, inner(0), 0) == Errc::too_long));
}

BOOST_FIXTURE_TEST_CASE(the_bound_is_on_the_whole_inner_handshake_not_on_what_waits, Attached) {
  const auto frame = inner(1020);
  for (std::size_t sent = 0; sent < tunnel::wire::inner_handshake_bytes_max; sent += frame.size()) {
    BOOST_TEST_REQUIRE(!handoff.on_received(master, frame, 0));
    write_all(onsite);
  }
  BOOST_TEST(!handoff.on_received(onsite, frame, 0));  // the other direction has its own
  BOOST_TEST((handoff.on_received(master, inner(0), 0) == Errc::too_long));
}
