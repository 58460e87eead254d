#define BOOST_TEST_MODULE keep_buffer
#include "core/keep_buffer.hpp"

#include "base/endian.hpp"
#include "core/internet_checksum.hpp"
#include "support/ethernet_frame.hpp"
#include "support/tcp_packet.hpp"
#include "wire/ethernet.hpp"
#include "wire/packet.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <vector>

using namespace tunnel;
using namespace tunnel::core;
using tunnel::test::port_of;
using tunnel::test::sequence_of;

namespace {

constexpr std::size_t vnet = wire::vnet_header_bytes;

Bytes packet(const test::Tcp& tcp) {
  return test::tcp_packet(tcp);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_packet_comes_back_as_it_was) {
  KeepBuffer keep;
  const auto kept = packet({});
  keep.put(kept);
  BOOST_TEST(keep.packets() == 1U);
  BOOST_TEST(keep.bytes() == kept.size());
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 1);
  BOOST_CHECK(taken[0] == kept);
  BOOST_TEST(keep.packets() == 0U);
  BOOST_TEST(keep.take().empty());
}

BOOST_AUTO_TEST_CASE(what_a_flow_has_not_said_before_comes_back_whole_and_in_order) {
  KeepBuffer keep;
  std::vector<Bytes> given;
  for (std::uint32_t i = 0; i < 20; ++i) {
    given.push_back(packet({.sequence = 100 * i, .text_bytes = 100}));
    given.push_back(packet({.port = 40002,
                            .sequence = 0xfffffff0U + 30'000 * i,  // it wraps
                            .text_bytes = 30'000,
                            .segment_bytes = 1448}));
  }
  for (const auto& one : given)
    keep.put(one);
  BOOST_TEST(keep.packets() == given.size());
  BOOST_CHECK(keep.take() == given);
}

BOOST_AUTO_TEST_CASE(of_what_is_said_again_the_newest_goes_before_the_backlog) {
  KeepBuffer keep;
  const auto first = packet({.sequence = 1, .text_bytes = 100});
  const auto second = packet({.sequence = 101, .text_bytes = 100});
  const auto bare = packet({.sequence = 201, .text_bytes = 0, .flags = 0x10});
  for (const auto& one : {first, second, second, bare, first})
    keep.put(one);
  BOOST_TEST(keep.packets() == 3U);
  auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 3);
  BOOST_CHECK(taken[0] == first);
  BOOST_CHECK(taken[1] == first);
  BOOST_CHECK(taken[2] == second);
  for (const auto& one : {first, first, bare})
    keep.put(one);
  taken = keep.take();
  BOOST_REQUIRE(taken.size() == 2);
  BOOST_CHECK(taken[0] == bare);
  BOOST_CHECK(taken[1] == first);
}

BOOST_AUTO_TEST_CASE(what_went_over_the_old_leg_is_kept_whole_also_when_it_repeats) {
  KeepBuffer keep;
  const auto second = packet({.sequence = 30'001, .text_bytes = 100});
  const auto again = packet({.sequence = 1, .text_bytes = 30'000, .segment_bytes = 1448});
  keep.put(second, {.epoch = 1, .end = 1000});
  keep.put(again, {.epoch = 1, .end = 40'000});
  keep.put(again, {.epoch = 1, .end = KeepBuffer::not_sent});
  keep.forget_received({.epoch = 1, .end = 40'000});
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 1);
  BOOST_CHECK(taken[0] == again);
}

BOOST_AUTO_TEST_CASE(the_newest_packets_come_with_the_one_first_that_waits_longest) {
  KeepBuffer keep;
  for (const std::uint32_t sequence : {1U, 2U, 3U})
    for (const std::uint16_t port : {40001, 40002, 40003})
      if (port != 40002 || sequence < 3)
        keep.put(packet({.port = port, .sequence = sequence, .text_bytes = 0, .flags = 0x10}));
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 3);
  BOOST_TEST(port_of(taken[0]) == 40002);
  BOOST_TEST(sequence_of(taken[0]) == 2U);
  BOOST_TEST(port_of(taken[1]) == 40001);
  BOOST_TEST(sequence_of(taken[1]) == 3U);
  BOOST_TEST(port_of(taken[2]) == 40003);
}

BOOST_AUTO_TEST_CASE(one_flow_too_many_takes_the_place_of_the_one_that_was_silent_for_longest) {
  KeepBuffer keep;
  for (std::uint16_t port = 1; port <= KeepBuffer::packets_max; ++port)
    keep.put(packet({.port = port, .text_bytes = 0, .flags = 0x10}));
  keep.put(packet({.port = 1,
                   .sequence = 2,
                   .text_bytes = 0,
                   .flags = 0x10}));  // speaks again: 2 is the oldest
  keep.put(packet({.port = 9999, .text_bytes = 0, .flags = 0x10}));
  const auto taken = keep.take();
  BOOST_TEST(taken.size() == KeepBuffer::packets_max);
  BOOST_TEST(port_of(taken.front()) == 3);
  BOOST_TEST(port_of(taken.back()) == 9999);
  BOOST_TEST(port_of(taken[taken.size() - 2]) == 1);
}

BOOST_AUTO_TEST_CASE(what_the_other_end_has_had_does_not_come_back) {
  KeepBuffer keep;
  for (std::uint32_t i = 1; i <= 6;
       ++i)  // 1 and 2 went over leg 3; 3, 4 and 5 over leg 4; 6 not yet
    keep.put(packet({.sequence = 1000 * i}), {.epoch = i < 3   ? 3U
                                                       : i < 6 ? 4U
                                                               : 0U,
                                              .end = i < 3 ? 9000U + i : 100 * i});
  keep.forget_received({});
  BOOST_TEST(keep.packets() == 6U);
  keep.forget_received({.epoch = 4, .end = 499});  // a part of 5
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 4);
  BOOST_TEST(sequence_of(taken[0]) == 1000U);
  BOOST_TEST(sequence_of(taken[1]) == 2000U);
  BOOST_TEST(sequence_of(taken[2]) == 5000U);
  BOOST_TEST(sequence_of(taken[3]) == 6000U);
}

BOOST_AUTO_TEST_CASE(a_full_buffer_holds_what_a_queue_takes_and_64_whole_packets_in_96_KiB) {
  KeepBuffer keep;
  for (std::uint32_t i = 0; i < 2000; ++i)
    keep.put(packet({.port = static_cast<std::uint16_t>(i), .sequence = i, .text_bytes = 1460}));
  BOOST_TEST(keep.packets() == 574U + 64);  // blocks of 2 KiB
  BOOST_TEST(keep.bytes() == (574U + 64) * (vnet + 1500));
  BOOST_TEST(keep.bytes() <= KeepBuffer::backlog_bytes_max + KeepBuffer::newest_bytes_max);
  BOOST_TEST(KeepBuffer::newest_bytes_max == 96U * 1024);
  const auto taken = keep.take();
  BOOST_TEST(sequence_of(taken[0]) == 2000U - 64);
  BOOST_TEST(sequence_of(taken[64]) == 0U);
  BOOST_TEST(sequence_of(taken.back()) == 573U);
  keep.put(packet({}));
  BOOST_TEST(keep.packets() == 1U);
}

BOOST_AUTO_TEST_CASE(only_tcp_is_kept) {
  KeepBuffer keep;
  for (const std::uint8_t protocol : {1, 17, 47, 50, 132})
    keep.put(packet({.protocol = protocol}));
  BOOST_TEST(keep.packets() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_no_whole_packet_is_not_kept) {
  KeepBuffer keep;
  const auto good = packet({});
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes)
    keep.put(ByteView{good}.first(bytes));
  auto fragment = good;
  fragment[vnet + 6] = std::byte{0x20};  // more fragments
  keep.put(fragment);
  fragment[vnet + 6] = std::byte{0};
  fragment[vnet + 7] = std::byte{1};  // not the first
  keep.put(fragment);
  for (const unsigned offset : {0U, 4U, 15U}) {  // a TCP header that is too short, or too long
    auto bad = packet({.text_bytes = 10});
    bad[vnet + 32] = static_cast<std::byte>(offset << 4U);
    keep.put(bad);
  }
  BOOST_TEST(keep.packets() == 0U);
}

BOOST_AUTO_TEST_CASE(a_super_packet_that_is_said_again_becomes_its_own_first_segment) {
  KeepBuffer keep;
  const auto super = packet({.sequence = 7, .text_bytes = 30'000, .segment_bytes = 1448});
  keep.put(super);
  keep.put(super);
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 2);
  BOOST_CHECK(taken[1] == super);
  auto expected = packet({.sequence = 7, .text_bytes = 1448});
  // What stood in the checksum's place counted the whole super-packet: now this segment alone.
  std::array<std::byte, 12> pseudo{};
  const auto ip = ByteView{expected}.subspan(vnet);
  std::copy_n(ip.begin() + 12, 8, pseudo.begin());
  pseudo[9] = std::byte{6};
  store_big_endian<std::uint16_t>(std::span{pseudo}.subspan(10), 20 + 1448);
  store_big_endian<std::uint16_t>(std::span{expected}.subspan(vnet + 36), internet_sum(pseudo));
  expected[vnet + 33] = std::byte{0x10};  // ACK alone: PSH and FIN are the last segment's
  BOOST_CHECK(taken[0] == expected);
  BOOST_TEST(wire::check_packet(taken[0]).has_value());
  BOOST_TEST(internet_sum(ip.first(20)) == 0xffff);
}

BOOST_AUTO_TEST_CASE(a_super_packet_of_segments_that_the_tunnel_has_not_is_kept_only_as_it_is) {
  KeepBuffer keep;
  const auto super = packet({.text_bytes = 30'000, .segment_bytes = 9000});
  keep.put(super);
  keep.put(super);
  BOOST_TEST(keep.packets() == 1U);
  const auto short_one = packet({.sequence = 40'000, .text_bytes = 500, .segment_bytes = 1448});
  keep.put(short_one);  // shorter than one segment
  keep.put(short_one);
  BOOST_TEST(keep.packets() == 3U);
}

BOOST_AUTO_TEST_CASE(hostile_packets_break_no_promise) {
  std::mt19937 random{20260114};
  KeepBuffer keep;
  for (int round = 0; round < 200'000; ++round) {
    auto bytes = packet(
        {.port = static_cast<std::uint16_t>(random() % 100),
         .sequence = static_cast<std::uint32_t>(round),
         .text_bytes = random() % 3000,
         .segment_bytes = static_cast<std::uint16_t>(random() % 3 == 0 ? random() % 3000 : 0)});
    for (auto flips = random() % 4; flips > 0; --flips)
      bytes[random() % std::min<std::size_t>(bytes.size(), 80)] = static_cast<std::byte>(random());
    if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 1));
    keep.put(bytes);
    BOOST_REQUIRE(keep.packets() <= 1536 + KeepBuffer::packets_max);
    BOOST_REQUIRE(keep.bytes() <= KeepBuffer::backlog_bytes_max + KeepBuffer::newest_bytes_max);
    if (random() % 500 != 0) continue;
    for (const auto& kept : keep.take()) {
      const auto checked = wire::check_packet(kept);
      BOOST_REQUIRE(checked.has_value());
      BOOST_REQUIRE(checked->protocol == 6);
    }
  }
}

BOOST_AUTO_TEST_CASE(frames_are_kept_by_the_flow_in_them) {
  for (const auto& tags : {std::vector<std::uint16_t>{}, {7}, {100, 7}}) {
    KeepBuffer keep{wire::Mode::l2};
    const auto first = test::Frame{.packet = packet({}), .tags = tags}.bytes();
    const auto other = test::Frame{.packet = packet({.port = 7}), .tags = tags}.bytes();
    keep.put(first);
    keep.put(other);
    keep.put(first);  // says it again: the newest of its flow
    keep.put(test::Frame{.packet = Bytes(vnet + 46), .ether_type = 0x0806}.bytes());
    const auto kept = keep.take();
    BOOST_REQUIRE(kept.size() == 3);
    BOOST_CHECK(kept[0] == first);
    BOOST_CHECK(kept[1] == first);
    BOOST_CHECK(kept[2] == other);
  }
}

BOOST_AUTO_TEST_CASE(the_same_connection_in_two_vlans_is_two_flows) {
  KeepBuffer keep{wire::Mode::l2};
  for (const std::uint16_t tag : {7, 8})
    keep.put(test::Frame{.packet = packet({}), .tags = {tag}}.bytes());
  BOOST_TEST(keep.packets() == 2U);
  BOOST_TEST(keep.take().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_super_frame_is_cut_to_its_first_segment) {
  for (const auto& tags : {std::vector<std::uint16_t>{}, {100, 7}}) {
    for (const bool v6 : {false, true}) {
      const auto make = [&](std::size_t text, std::uint16_t segment) {
        return test::Frame{
            .packet = v6 ? test::tcp6_packet(text, segment)
                         : packet({.text_bytes = text, .segment_bytes = segment, .flags = 0x10}),
            .ether_type = static_cast<std::uint16_t>(v6 ? 0x86dd : 0x0800),
            .tags = tags}
            .bytes();
      };
      KeepBuffer keep{wire::Mode::l2};
      const auto whole = make(4000, 1000);
      keep.put(whole);
      keep.put(whole);
      const auto kept = keep.take();
      BOOST_REQUIRE(kept.size() == 2);
      BOOST_CHECK(kept[1] == whole);
      BOOST_REQUIRE(wire::check_frame(kept[0]));
      auto wanted = make(1000, 0);
      const auto ip_at = vnet + wire::ethernet_header_bytes + 4 * tags.size();
      // Its checksum holds the sum of the pseudo header, which tcp_packet() leaves at 0.
      const auto sum_at = ip_at + (v6 ? 40U : 20U) + 16;
      BOOST_TEST(load_big_endian<std::uint16_t>(ByteView{kept[0]}.subspan(sum_at)) != 0);
      std::copy_n(kept[0].begin() + static_cast<std::ptrdiff_t>(sum_at), 2,
                  wanted.begin() + static_cast<std::ptrdiff_t>(sum_at));
      BOOST_CHECK(kept[0] == wanted);
    }
  }
}
