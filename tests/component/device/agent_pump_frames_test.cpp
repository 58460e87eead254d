#define BOOST_TEST_MODULE agent_pump_frames
#include "component/device/agent_end.hpp"
#include "crypto/hash.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/ssl.h>

using namespace agent_test;
using namespace std::chrono_literals;

/// What an authenticated but broken other end can send inside the inner session: every type and
/// length is either taken, ignored or ends the session with a cause, and never crashes.
namespace {

/// A real onsite and, in place of the master, a leg whose inner TLS the test writes to itself.
struct Broken {
  Broken()
      : outer{crypto::TlsContext::device(session.world.master.credentials(), session.world.ca(),
                                         wire::alpn_data)},
        inner{crypto::TlsContext::end_to_end(session.world.master.credentials(), session.world.ca(),
                                             session.world.onsite.identity,
                                             session.world.onsite.key.hash())} {
    session.started = true;
    auto& io = session.io;
    asio::co_spawn(io, session.relay.accept_leg(), asio::detached);
    asio::co_spawn(io, connect(), asio::detached);
    session.run_until([&] { return leg.has_value(); });
    asio::co_spawn(io, session.relay.accept_leg(), asio::detached);
    asio::co_spawn(io, session.onsite.run(session.relay.endpoint()), asio::detached);
    asio::co_spawn(io, session.onsite.run_kernel(), asio::detached);
    BOOST_REQUIRE(session.run_until([&] { return up && session.onsite.established; }));
  }

  Task<> connect() {
    tcp::socket socket{session.io};
    co_await socket.async_connect(session.relay.endpoint(), tunnel::io::use_tuple);
    const auto& plan = session.plan;
    leg.emplace(std::move(socket), outer, inner,
                DataLeg::Plan{.attach = {plan.grant.session, plan.grant.epoch},
                              .confirm = {.grant_hash = crypto::sha256(plan.grant_bytes),
                                          .role = Role::master},
                              .peer_role = Role::onsite});
    up = !co_await leg->establish();
  }

  void send(ByteView bytes) {
    std::size_t written = 0;
    while (!bytes.empty() &&
           ::SSL_write_ex(leg->inner(), bytes.data(), bytes.size(), &written) == 1)
      bytes = bytes.subspan(written);
  }

  Session session;
  crypto::TlsContext outer, inner;
  std::optional<DataLeg> leg;
  bool up = false;
};

Bytes header(unsigned type, std::size_t length) {
  Bytes bytes(wire::header_bytes);
  wire::encode_header(std::span{bytes}.first<wire::header_bytes>(),
                      static_cast<wire::FrameType>(type), length);
  return bytes;
}

/// A good packet, to see whether the session still lives.
Bytes good_frame() {
  return wire::encode_frame(wire::FrameType::packet,
                            packet(master_address, "192.168.1.50", "good"));
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_AUTO_TEST_CASE(every_type_and_length_is_taken_ignored_or_ends_the_session) {
  const std::vector<std::size_t> lengths{0, 1, 64, 1024, 65'545, 65'546, 0xffffff};
  for (const unsigned type : {0x00U, 0x01U, 0x10U, 0x30U, 0x31U, 0x32U, 0x3fU, 0x40U, 0x41U, 0x42U,
                              0x43U, 0x44U, 0x45U, 0x7fU, 0x80U, 0xc1U, 0xffU}) {
    for (const auto length : lengths) {
      Broken broken;
      auto frame = header(type, length);
      if (length <= 65'546) frame.resize(frame.size() + length, std::byte{0x41});
      broken.send(frame);
      broken.send(good_frame());
      const auto& onsite = broken.session.onsite;
      broken.session.run_until([&] { return onsite.is_over() || !onsite.received.empty(); });
      // 2^24-1 of a type that allows it would swallow the good packet: no type does.
      BOOST_TEST((onsite.is_over() || text_of(onsite.received.at(0)) == "good"),
                 "type " << type << ", length " << length);
      if (onsite.is_over())
        BOOST_CHECK_MESSAGE(
            onsite.end->code == CloseCode::protocol,
            "type " << type << ", length " << length << ": " << to_string(onsite.end->code));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_frame_cut_by_the_end_of_the_session_is_no_crash) {
  Broken broken;
  auto frame = good_frame();
  frame.resize(frame.size() / 2);
  broken.send(frame);
  ::SSL_shutdown(broken.leg->inner());
  const auto& onsite = broken.session.onsite;
  BOOST_REQUIRE(broken.session.run_until([&] { return onsite.is_over(); }));
  BOOST_TEST(onsite.received.empty());
  BOOST_CHECK(onsite.end->code == CloseCode::peer_lost);
}

BOOST_AUTO_TEST_CASE(a_flood_of_alive_frames_holds_no_memory_and_starves_no_packet) {
  Broken broken;
  const auto alive = wire::encode_frame(wire::FrameType::alive, Bytes(8));
  Bytes flood;
  for (int i = 0; i < 1000; ++i)
    flood.insert(flood.end(), alive.begin(), alive.end());
  broken.send(flood);
  broken.send(good_frame());
  const auto& onsite = broken.session.onsite;
  BOOST_REQUIRE(broken.session.run_until([&] { return !onsite.received.empty(); }));
  BOOST_TEST(!onsite.is_over());
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_of_what_was_never_sent_ends_the_session) {
  Broken broken;
  const auto ack = wire::encode_ack({std::uint64_t{1} << 60U, {}});
  broken.send(wire::encode_frame(wire::FrameType::ack, ack));
  const auto& onsite = broken.session.onsite;
  BOOST_REQUIRE(broken.session.run_until([&] { return onsite.is_over(); }));
  BOOST_CHECK(onsite.end->code == CloseCode::protocol);
}

BOOST_AUTO_TEST_CASE(one_that_acknowledges_nothing_gets_a_little_and_no_more) {
  Broken broken;
  auto& onsite = broken.session.onsite;
  const auto& counters = onsite.pump().counters();
  const auto big = packet("192.168.1.50", master_address, std::string(1400, 'x'));
  for (int i = 0; i < 400; ++i)
    onsite.give(big);
  BOOST_REQUIRE(broken.session.run_until([&] { return counters.tx_bytes > 10'000; }));
  broken.session.run_until([] { return false; }, 300ms);
  BOOST_TEST(counters.tx_bytes < 20'000U);
  BOOST_TEST(!onsite.is_over());
}

BOOST_AUTO_TEST_CASE(frames_cut_at_every_byte_are_put_together) {
  Broken broken;
  const auto frame = good_frame();
  for (std::size_t i = 0; i < frame.size(); ++i)
    broken.send(ByteView{frame}.subspan(i, 1));
  const auto& onsite = broken.session.onsite;
  BOOST_REQUIRE(broken.session.run_until([&] { return !onsite.received.empty(); }));
  BOOST_TEST(text_of(onsite.received[0]) == "good");
}
