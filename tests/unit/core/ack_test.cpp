#define BOOST_TEST_MODULE ack
#include "wire/ack.hpp"

#include "core/ack_clock.hpp"
#include "wire/errc.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(it_is_read_as_it_was_written) {
  const wire::Ack ack{0x0123456789abcdef, 70'000us, true};
  const auto bytes = wire::encode_ack(ack);
  const auto read = wire::decode_ack(bytes);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->received_bytes == ack.received_bytes);
  BOOST_TEST((read->held == ack.held));
  BOOST_TEST(read->lossy);
  BOOST_TEST(!wire::decode_ack(wire::encode_ack({1, 1us, false}))->lossy);
  BOOST_TEST((bytes[0] == std::byte{0x01} && bytes[10] == std::byte{0x11}));
}

BOOST_AUTO_TEST_CASE(a_wait_that_does_not_fit_is_as_long_as_fits) {
  BOOST_TEST((wire::decode_ack(wire::encode_ack({0, 5h}))->held == 4'294'967'295us));
  BOOST_TEST((wire::decode_ack(wire::encode_ack({0, -1us}))->held == 0us));
}

BOOST_AUTO_TEST_CASE(any_other_length_is_malformed) {
  for (const std::size_t length : {0UL, 12UL, 14UL, 64UL})
    BOOST_TEST((wire::decode_ack(Bytes(length)).error() == wire::Errc::malformed));
}

BOOST_AUTO_TEST_CASE(a_lone_packet_is_acknowledged_soon_and_a_stream_seldom) {
  constexpr Clock::time_point t0{1h};
  core::AckClock clock;
  BOOST_TEST(!clock.has_news());
  clock.on_received(100, t0);
  BOOST_TEST((clock.due() == t0 + core::AckClock::at_most));
  clock.on_received(10'000, t0 + 1ms);
  BOOST_TEST((clock.due() == t0 + 1ms));
  const auto ack = clock.take(t0 + 2ms);
  BOOST_TEST(ack.received_bytes == 10'100U);
  BOOST_TEST((ack.held == 1ms));
  BOOST_TEST(!clock.has_news());
  clock.on_received(10'000, t0 + 3ms);
  BOOST_TEST((clock.due() == t0 + 4ms));
}

}  // namespace tunnel
