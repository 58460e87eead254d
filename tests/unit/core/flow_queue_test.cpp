#define BOOST_TEST_MODULE flow_queue
#include "core/flow_queue.hpp"

#include "base/endian.hpp"
#include "support/ethernet_frame.hpp"
#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

namespace tunnel::core {
namespace {

using namespace std::chrono_literals;
using Time = Clock::time_point;

constexpr Time t0{1h};
constexpr std::size_t ip_at = wire::vnet_header_bytes;
constexpr std::uint8_t udp = 17;

std::uint16_t checksum_of(ByteView header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < header.size(); i += 2)
    sum += load_big_endian<std::uint16_t>(header.subspan(i, 2));
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~((sum & 0xffffU) + (sum >> 16U)));
}

/// A packet of flow `port`, with `number` in it.
Bytes make_packet(std::uint16_t port, std::uint32_t number, std::size_t bytes = 1500,
                  unsigned ecn = 0) {
  Bytes packet(ip_at + bytes);
  const auto ip = std::span{packet}.subspan(ip_at);
  ip[0] = std::byte{0x45};
  ip[1] = static_cast<std::byte>(ecn);
  store_big_endian(ip.subspan(2), static_cast<std::uint16_t>(bytes));
  ip[8] = std::byte{64};
  ip[9] = std::byte{udp};
  store_big_endian<std::uint32_t>(ip.subspan(12), 0xC0A80001);
  store_big_endian<std::uint32_t>(ip.subspan(16), 0xC0A80102);
  store_big_endian(ip.subspan(10), checksum_of(ip.first(20)));
  store_big_endian(ip.subspan(20), port);
  store_big_endian(ip.subspan(24), number);
  for (std::size_t i = 28; i < bytes; ++i)
    ip[i] = static_cast<std::byte>(number + i);
  return packet;
}

void fill_space(FlowQueue& queue, ByteView packet) {
  std::size_t done = 0;
  for (const auto block : queue.space()) {
    if (done == packet.size()) break;
    const auto piece = std::min(packet.size() - done, block.size());
    std::copy_n(packet.begin() + static_cast<std::ptrdiff_t>(done), piece, block.begin());
    done += piece;
  }
}

void push(FlowQueue& queue, ByteView packet, Time now) {
  fill_space(queue, packet);
  queue.push(packet.size(), now);
}

std::optional<Bytes> pop(FlowQueue& queue, Time now) {
  Bytes out(wire::packet_payload_bytes_max);
  out.resize(queue.pop(out, now));
  return out.empty() ? std::nullopt : std::optional{out};
}

std::uint16_t port_of(ByteView packet) {
  return load_big_endian<std::uint16_t>(packet.subspan(ip_at + 20));
}
std::uint32_t number_of(ByteView packet) {
  return load_big_endian<std::uint32_t>(packet.subspan(ip_at + 24));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_thin_flow_never_shares_the_queue_of_one_of_eight_bulk_flows) {
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    FlowQueue queue{seed};
    for (std::uint16_t i = 0; i < 8 * 20; ++i)
      push(queue, make_packet(static_cast<std::uint16_t>(5000 + i % 8), i), t0);
    for (int i = 0; i < 8; ++i)  // the bulk flows are new ones no more
      pop(queue, t0);
    push(queue, make_packet(22, 1, 64), t0);
    BOOST_TEST_CONTEXT("seed " << seed) {
      std::size_t waited = 0;
      while (port_of(pop(queue, t0).value()) != 22)
        ++waited;
      BOOST_TEST(waited <= 8U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_goes_in_comes_out_whatever_its_size) {
  FlowQueue queue{1};
  for (const std::size_t bytes : {28UL, 29UL, 1500UL, 2038UL, 2039UL, 4086UL, 40'000UL, 65'535UL}) {
    const auto packet = make_packet(1, 7, bytes);
    push(queue, packet, t0);
    BOOST_TEST(queue.packets() == 1U);
    BOOST_TEST((pop(queue, t0) == packet));
    BOOST_TEST(queue.empty());
    BOOST_TEST(queue.bytes() == 0U);
  }
  BOOST_TEST(!pop(queue, t0));
}

BOOST_AUTO_TEST_CASE(a_flow_keeps_its_order) {
  FlowQueue queue{1};
  for (std::uint32_t i = 0; i < 300; ++i)
    push(queue, make_packet(1, i), t0);
  for (std::uint32_t i = 0; i < 300; ++i)
    BOOST_TEST(number_of(*pop(queue, t0)) == i);
}

BOOST_AUTO_TEST_CASE(a_thin_flow_overtakes_a_thick_one) {
  FlowQueue queue{1};
  for (std::uint32_t i = 0; i < 200; ++i)
    push(queue, make_packet(1, i), t0);
  (void)pop(queue, t0);
  (void)pop(queue, t0);  // the thick one is no new flow any more
  push(queue, make_packet(2, 0, 64), t0);
  BOOST_TEST(port_of(*pop(queue, t0)) == 2U);
}

BOOST_AUTO_TEST_CASE(thick_flows_share_by_bytes) {
  FlowQueue queue{1};
  for (std::uint32_t i = 0; i < 20; ++i)
    push(queue, make_packet(1, i, 9000), t0);
  for (std::uint32_t i = 0; i < 200; ++i)
    push(queue, make_packet(2, i, 1000), t0);
  std::array<std::size_t, 3> bytes{};
  for (int i = 0; i < 100; ++i) {
    const auto packet = *pop(queue, t0);
    bytes.at(port_of(packet)) += packet.size();
  }
  BOOST_TEST(bytes[1] < bytes[2] + 12'000);
  BOOST_TEST(bytes[2] < bytes[1] + 12'000);
}

BOOST_AUTO_TEST_CASE(the_fattest_loses_when_memory_ends) {
  FlowQueue queue{1};
  push(queue, make_packet(2, 0, 64), t0);
  for (std::uint32_t i = 0; i < 2000; ++i)
    push(queue, make_packet(1, i), t0);
  BOOST_TEST(queue.dropped() > 1000U);
  BOOST_TEST(queue.packets() <= FlowQueue::blocks_max);
  BOOST_TEST(port_of(*pop(queue, t0)) == 2U);
  std::uint32_t last = 0;
  while (const auto packet = pop(queue, t0))
    last = number_of(*packet);
  BOOST_TEST(last == 1999U);  // its oldest went, not its newest
}

BOOST_AUTO_TEST_CASE(what_was_kept_for_this_queue_is_not_dropped) {
  FlowQueue queue{1};
  constexpr std::uint32_t kept = FlowQueue::kept_blocks_max;
  for (std::uint32_t i = 0; i < kept; ++i) {
    const auto packet = make_packet(1, i);
    fill_space(queue, packet);
    queue.push_kept(packet.size());
  }
  for (std::uint32_t i = 0; i < 2000; ++i)
    push(queue, make_packet(1, kept + i), t0);
  BOOST_TEST(queue.dropped() > 1000U);
  BOOST_TEST(queue.packets() <= FlowQueue::blocks_max);
  std::vector<std::uint32_t> numbers;
  auto now = t0;
  for (; const auto packet = pop(queue, now); now += 1ms)
    numbers.push_back(number_of(*packet));
  BOOST_REQUIRE(numbers.size() > kept);
  BOOST_TEST(std::ranges::is_sorted(numbers));
  BOOST_TEST(numbers[kept - 1] == kept - 1);
  BOOST_TEST(numbers.back() == kept + 1999);
  for (std::uint32_t i = 0; i < 2000; ++i)  // and the memory is that of before
    push(queue, make_packet(1, i), now);
  BOOST_TEST(queue.packets() <= FlowQueue::blocks_max);
}

BOOST_AUTO_TEST_CASE(a_segment_that_is_said_again_overtakes_what_was_kept) {
  FlowQueue queue{1};
  const auto segment = [](std::uint16_t port, std::uint32_t sequence) {  // its number, too
    auto packet = make_packet(port, sequence, 200);
    packet[ip_at + 9] = std::byte{6};
    return packet;
  };
  for (const std::uint32_t sequence : {1000U, 2000U}) {
    const auto packet = segment(1, sequence);
    fill_space(queue, packet);
    queue.push_kept(packet.size());
  }
  push(queue, segment(1, 3000), t0);        // new
  push(queue, segment(1, 400), t0);         // repeated
  push(queue, segment(1, 500), t0);         // the same, behind it
  push(queue, segment(1, 0xfffffff0), t0);  // from before the numbers wrapped
  push(queue, segment(1, 2500), t0);
  std::vector<std::uint32_t> numbers;
  while (const auto packet = pop(queue, t0))
    numbers.push_back(load_big_endian<std::uint32_t>(ByteView{*packet}.subspan(ip_at + 24)));
  const std::vector<std::uint32_t> expected{400, 500, 0xfffffff0, 1000, 2000, 3000, 2500};
  BOOST_TEST(numbers == expected, boost::test_tools::per_element());
  push(queue, segment(1, 7), t0);  // and as ever afterwards
  push(queue, segment(1, 6), t0);
  BOOST_TEST(number_of(*pop(queue, t0)) == 7U);
  BOOST_TEST(number_of(*pop(queue, t0)) == 6U);
}

BOOST_AUTO_TEST_CASE(a_queue_that_stands_loses_packets_and_less_than_it_carries) {
  FlowQueue queue{1};
  auto now = t0;
  std::uint32_t number = 0;
  std::size_t carried = 0;
  for (int i = 0; i < 60; ++i)  // 60 packets stand: at one a millisecond, 60 ms
    push(queue, make_packet(1, number++), now);
  for (int i = 0; i < 2000; ++i, now += 1ms) {
    push(queue, make_packet(1, number++), now);
    if (pop(queue, now)) ++carried;
  }
  BOOST_TEST(queue.dropped() > 5U);
  BOOST_TEST(queue.dropped() < 200U);
  BOOST_TEST(carried == 2000U);
}

BOOST_AUTO_TEST_CASE(a_burst_loses_nothing) {
  FlowQueue queue{1};
  auto now = t0;
  for (std::uint32_t i = 0; i < 90; ++i)
    push(queue, make_packet(1, i), now);
  for (; !queue.empty(); now += 1ms)
    (void)pop(queue, now);
  BOOST_TEST(queue.dropped() == 0U);
}

BOOST_AUTO_TEST_CASE(a_flow_that_reads_marks_is_marked_instead) {
  FlowQueue queue{1};
  auto now = t0;
  std::uint32_t number = 0;
  std::size_t marked = 0;
  for (int i = 0; i < 60; ++i)
    push(queue, make_packet(1, number++, 1500, 2), now);
  std::uint32_t expected = 0;
  for (int i = 0; i < 1000; ++i, now += 1ms) {
    push(queue, make_packet(1, number++, 1500, 2), now);
    const auto packet = *pop(queue, now);
    BOOST_TEST_REQUIRE(number_of(packet) == expected++);
    BOOST_TEST_REQUIRE(checksum_of(ByteView{packet}.subspan(ip_at, 20)) == 0U);
    const auto ecn = std::to_integer<unsigned>(packet[ip_at + 1]) & 3U;
    if (ecn == 3) ++marked;
  }
  BOOST_TEST(queue.dropped() == 0U);
  BOOST_TEST(marked == queue.marked());
  BOOST_TEST(marked > 5U);
}

BOOST_AUTO_TEST_CASE(what_is_no_ip_packet_is_carried_as_one_flow) {
  FlowQueue queue{1};
  for (const std::size_t bytes : {1UL, 9UL, 12UL, 29UL})
    push(queue, Bytes(bytes, std::byte{0x41}), t0);
  for (const std::size_t bytes : {1UL, 9UL, 12UL, 29UL})
    BOOST_TEST(pop(queue, t0)->size() == bytes);
}

BOOST_AUTO_TEST_CASE(random_use_keeps_every_count) {
  FlowQueue queue{12345};
  std::uint32_t random = 1;
  std::size_t in = 0, out = 0;
  auto now = t0;
  for (std::uint32_t i = 0; i < 20'000; ++i, now += 50us) {
    random = random * 1664525 + 1013904223;
    const auto port = static_cast<std::uint16_t>(random >> 24U);
    const std::size_t bytes = 28 + (random >> 8U) % (i % 50 == 0 ? 65'000 : 3000);
    if ((random & 3U) != 0) {
      push(queue, make_packet(port, i, bytes), now);
      ++in;
    } else if (const auto packet = pop(queue, now)) {
      ++out;
      BOOST_TEST_REQUIRE(packet->size() == ip_at + load_big_endian<std::uint16_t>(
                                                       ByteView{*packet}.subspan(ip_at + 2)));
    }
    BOOST_TEST_REQUIRE(in == out + queue.packets() + queue.dropped());
  }
  while (pop(queue, now))
    ++out;
  BOOST_TEST(in == out + queue.dropped());
  BOOST_TEST(queue.bytes() == 0U);
}

}  // namespace tunnel::core

namespace tunnel::core {
namespace {

void push_frame(FlowQueue& queue, const test::Frame& frame, Time now) {
  push(queue, frame.bytes(), now);
}

/// How many packets of a bulk flow come before `thin`, which was put behind them.
std::size_t overtaken_by(const test::Frame& bulk, const test::Frame& thin) {
  FlowQueue queue{1, wire::Mode::l2};
  for (int i = 0; i < 20; ++i)
    push_frame(queue, bulk, t0);
  pop(queue, t0);
  pop(queue, t0);
  push_frame(queue, thin, t0);
  std::size_t before = 0;
  const auto wanted = thin.bytes();
  while (pop(queue, t0).value() != wanted)
    ++before;
  return before;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_frame_is_of_the_flow_of_the_packet_in_it) {
  using test::Frame;
  for (const auto& tags : {std::vector<std::uint16_t>{}, {7}, {100, 7}}) {
    const Frame bulk{.packet = make_packet(5000, 1), .tags = tags};
    BOOST_TEST(overtaken_by(bulk, {.packet = make_packet(22, 1, 64), .tags = tags}) <= 1U);
    BOOST_TEST(overtaken_by(bulk, {.packet = make_packet(5000, 2, 64), .tags = tags}) == 18U);
    const Frame bulk6{.packet = test::tcp6_packet(1400), .ether_type = 0x86dd, .tags = tags};
    BOOST_TEST(overtaken_by(bulk6, {.packet = test::tcp6_packet(10, 0, 22),
                                    .ether_type = 0x86dd,
                                    .tags = tags}) <= 1U);
    BOOST_TEST(overtaken_by(
                   bulk6, {.packet = test::tcp6_packet(10), .ether_type = 0x86dd, .tags = tags}) ==
               18U);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_ip_is_of_the_flow_of_its_mac_addresses_and_type) {
  using test::Frame;
  const Bytes nothing(ip_at + 100);
  const Frame bulk{.packet = Bytes(ip_at + 1400), .ether_type = 0x8892};
  BOOST_TEST(overtaken_by(bulk, {.packet = nothing, .ether_type = 0x0806}) <= 1U);
  BOOST_TEST(overtaken_by(bulk, {.packet = nothing, .ether_type = 0x8892, .source = 9}) <= 1U);
  BOOST_TEST(overtaken_by(bulk, {.packet = nothing, .ether_type = 0x8892}) == 18U);
}

BOOST_AUTO_TEST_CASE(congestion_is_marked_in_frames_too) {
  using test::Frame;
  for (const auto& [frame, byte_at, mask] :
       {std::tuple{Frame{.packet = make_packet(1, 1, 1400, 2), .tags = {7}}, ip_at + 18 + 1, 0x03},
        {Frame{.packet = test::tcp6_packet(1400, 0, 1, 2), .ether_type = 0x86dd}, ip_at + 14 + 1,
         0x30}}) {
    FlowQueue queue{1, wire::Mode::l2};
    for (int i = 0; i < 200; ++i)
      push_frame(queue, frame, t0);
    std::size_t marked = 0;
    for (auto now = t0 + 1s; const auto packet = pop(queue, now); now += 20ms)
      marked += ((*packet)[byte_at] & static_cast<std::byte>(mask)) == static_cast<std::byte>(mask);
    BOOST_TEST(marked > 0U);
    BOOST_TEST(queue.marked() == marked);
    BOOST_TEST(queue.dropped() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(frames_that_are_too_short_for_anything_are_queued_and_harmless) {
  FlowQueue queue{1, wire::Mode::l2};
  const auto frame = test::Frame{.packet = make_packet(1, 1, 64), .tags = {1, 2}}.bytes();
  for (std::size_t bytes = 1; bytes <= frame.size(); ++bytes)
    push(queue, ByteView{frame}.first(bytes), t0);
  std::size_t popped = 0;
  while (pop(queue, t0 + 1h))
    ++popped;
  BOOST_TEST(popped + queue.dropped() == frame.size());
}

}  // namespace tunnel::core
