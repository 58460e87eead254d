#define BOOST_TEST_MODULE net_frames
#include "net_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <functional>

// Every frame type x length {0, max, max + 1, 2^24 - 1, truncated} x state: the server closes or
// ignores, and still serves.

using namespace support;
using namespace std::chrono_literals;
using wire::Channel;
using wire::FrameType;
using wire::Role;

namespace {

constexpr std::array<std::uint8_t, 37> types{
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,
    0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x22, 0x30, 0x31, 0x32,
    0x33, 0x40, 0x41, 0x42, 0x43, 0x44, 0x1f, 0x7f, 0x80, 0x9f, 0xff};

/// How long a frame of that type may be on that channel; what is unknown there may be as long as
/// the longest known.
std::size_t payload_bytes_max(Channel channel, std::uint8_t type) {
  std::array<std::byte, wire::header_bytes> header{};
  std::size_t fits = 0;
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{1024}, wire::inner_payload_bytes_max,
                                  wire::control_payload_bytes_max}) {
    wire::encode_header(header, static_cast<FrameType>(type), bytes);
    if (wire::decode_header(channel, header)) fits = bytes;
  }
  return fits != 0 || type == 0x32 ? fits : wire::control_payload_bytes_max;
}

Bytes frame(std::uint8_t type, std::size_t claimed_bytes, std::size_t sent_bytes) {
  Bytes bytes(wire::header_bytes + sent_bytes, std::byte{0x55});
  wire::encode_header(std::span{bytes}.first<wire::header_bytes>(), static_cast<FrameType>(type),
                      claimed_bytes);
  return bytes;
}

/// Every frame this test knows, for one channel.
std::vector<Bytes> bad_frames(Channel channel) {
  std::vector<Bytes> frames;
  for (const auto type : types) {
    const auto max = payload_bytes_max(channel, type);
    frames.push_back(frame(type, 0, 0));
    frames.push_back(frame(type, max, max));
    frames.push_back(frame(type, max + 1, max + 1));
    frames.push_back(frame(type, (std::size_t{1} << 24U) - 1, 100));
    frames.push_back(frame(type, 100, 10));
  }
  return frames;
}

/// Sends the bytes and ends the stream: whatever the server makes of them, it has closed soon.
bool ends_well(FramePeer& peer, ByteView bytes) {
  try {
    peer.send(bytes);
    peer.tls().tcp().end_stream();
  } catch (const PeerError&) {  // closed while we were sending
  }
  return peer.tls().tcp().is_closed_within(at_once);
}

struct Devices : ServerFixture {
  Devices() : master{new_device("m", Role::master)}, onsite{new_device("o", Role::onsite)} {}
  FramePeer connect(const Device& device, const char* alpn, Channel channel) {
    return FramePeer{port(), crypto::TlsContext::device(device.credentials(), device.ca, alpn),
                     channel};
  }
  /// Each bad frame on a connection that `make` has brought into some state.
  void try_all(Channel channel, const std::function<bool(ByteView)>& try_one) {
    std::size_t number = 0;
    for (const auto& bad : bad_frames(channel)) {
      BOOST_TEST(try_one(bad), "frame " << tunnel::to_hex(ByteView{bad}.first(4)) << " with "
                                        << bad.size() << " bytes");
      if (++number % 20 == 0) BOOST_CHECK_NO_THROW(serves_a_good_client());
    }
    BOOST_CHECK_NO_THROW(serves_a_good_client());
  }
  Device master, onsite;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(control_before_hello, Devices) {
  try_all(Channel::control, [&](ByteView bad) {
    auto peer = connect(master, wire::alpn_control, Channel::control);
    return ends_well(peer, bad);
  });
}

BOOST_FIXTURE_TEST_CASE(control_after_hello, Devices) {
  try_all(Channel::control, [&](ByteView bad) {
    ControlPeer peer{port(), master};
    return ends_well(peer, bad);
  });
}

BOOST_FIXTURE_TEST_CASE(control_of_an_onsite_with_an_offer, Devices) {
  ControlPeer other{port(), master};
  std::uint32_t request = 0;
  try_all(Channel::control, [&](ByteView bad) {
    ControlPeer peer{port(), onsite};
    other.send(wire::Open{.request = ++request, .onsite = onsite.identity.name});
    (void)peer.expect<wire::Offer>();
    const bool ended = ends_well(peer, bad);
    other.send(wire::Cancel{.request = request});
    return ended;
  });
}

BOOST_FIXTURE_TEST_CASE(control_of_a_master_with_a_grant, Devices) {
  ControlPeer other{port(), onsite};
  try_all(Channel::control, [&](ByteView bad) {
    ControlPeer peer{port(), master};
    const auto granted = open_session(peer, other, onsite.identity.name);
    const bool ended = ends_well(peer, bad);
    // A session outlives a connection that only ended; what broke the protocol has ended it before.
    other.send(wire::Close{.session = granted.grant.session});
    (void)other.expect<wire::Close>();
    return ended;
  });
}

BOOST_FIXTURE_TEST_CASE(enrolment, Devices) {
  const auto fingerprint = authority().certificate().fingerprint();
  std::array<std::byte, wire::fingerprint_bytes> pin{};
  std::copy_n(fingerprint.begin(), pin.size(), pin.begin());
  try_all(Channel::enroll, [&](ByteView bad) {
    FramePeer peer{port(), crypto::TlsContext::enrolling(pin), Channel::enroll};
    return ends_well(peer, bad);
  });
}

BOOST_FIXTURE_TEST_CASE(data_before_attach, Devices) {
  try_all(Channel::data, [&](ByteView bad) {
    auto peer = connect(master, wire::alpn_data, Channel::data);
    return ends_well(peer, bad);
  });
}

BOOST_FIXTURE_TEST_CASE(data_of_one_leg_that_waits_for_the_other, Devices) {
  ControlPeer first{port(), master};
  ControlPeer second{port(), onsite};
  try_all(Channel::data, [&](ByteView bad) {
    const auto granted = open_session(first, second, onsite.identity.name);
    auto leg = connect(master, wire::alpn_data, Channel::data);
    leg.send(wire::encode(wire::Attach{granted.grant.session, granted.grant.epoch}));
    // A Switch is in order here; what the relay sees next of this leg is raw, and waits for the
    // other.
    const bool switched =
        bad.size() == wire::header_bytes && bad[0] == std::byte{0x32} && bad[3] == std::byte{0};
    bool ended = ends_well(leg, bad);
    first.send(wire::Close{.session = granted.grant.session});
    (void)second.expect<wire::Close>();
    if (switched) ended = leg.tls().tcp().is_closed_within(at_once);
    return ended;
  });
}

BOOST_FIXTURE_TEST_CASE(data_of_two_legs_in_their_inner_handshake, Devices) {
  ControlPeer first{port(), master};
  ControlPeer second{port(), onsite};
  try_all(Channel::data, [&](ByteView bad) {
    const auto granted = open_session(first, second, onsite.identity.name);
    const auto attach = wire::encode(wire::Attach{granted.grant.session, granted.grant.epoch});
    auto other = connect(onsite, wire::alpn_data, Channel::data);
    other.send(attach);
    auto leg = connect(master, wire::alpn_data, Channel::data);
    leg.send(attach);
    const bool sent = ends_well(leg, bad);
    first.send(wire::Close{.session = granted.grant.session});
    (void)second.expect<wire::Close>();
    return sent && other.tls().tcp().is_closed_within(at_once);
  });
}
