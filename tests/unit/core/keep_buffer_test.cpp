#define BOOST_TEST_MODULE keep_buffer
#include "core/keep_buffer.hpp"

#include "base/endian.hpp"
#include "core/internet_checksum.hpp"
#include "support/tcp_packet.hpp"
#include "wire/packet.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <string>

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

BOOST_AUTO_TEST_CASE(of_each_flow_the_newest_packet_is_kept_and_the_oldest_comes_first) {
  KeepBuffer keep;
  for (const std::uint32_t sequence : {1U, 2U, 3U})
    for (const std::uint16_t port : {40001, 40002, 40003})
      if (port != 40002 || sequence < 3) keep.put(packet({.port = port, .sequence = sequence}));
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 3);
  BOOST_TEST(port_of(taken[0]) == 40002);
  BOOST_TEST(sequence_of(taken[0]) == 2U);
  BOOST_TEST(port_of(taken[1]) == 40001);
  BOOST_TEST(sequence_of(taken[1]) == 3U);
  BOOST_TEST(port_of(taken[2]) == 40003);
}

BOOST_AUTO_TEST_CASE(a_shorter_packet_takes_the_place_of_a_longer_one_of_its_flow) {
  KeepBuffer keep;
  keep.put(packet({.text_bytes = 1400}));
  const auto bare = packet({.sequence = 9, .text_bytes = 0});
  keep.put(bare);
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 1);
  BOOST_CHECK(taken[0] == bare);
}

BOOST_AUTO_TEST_CASE(one_flow_too_many_takes_the_place_of_the_oldest) {
  KeepBuffer keep;
  for (std::uint16_t port = 1; port <= KeepBuffer::packets_max; ++port)
    keep.put(packet({.port = port}));
  keep.put(packet({.port = 1, .sequence = 2}));  // speaks again: 2 is now the oldest
  keep.put(packet({.port = 9999}));
  const auto taken = keep.take();
  BOOST_TEST(taken.size() == KeepBuffer::packets_max);
  BOOST_TEST(port_of(taken.front()) == 3);
  BOOST_TEST(port_of(taken.back()) == 9999);
  BOOST_TEST(port_of(taken[taken.size() - 2]) == 1);
}

BOOST_AUTO_TEST_CASE(a_full_buffer_holds_64_whole_packets_in_96_KiB) {
  KeepBuffer keep;
  for (std::uint16_t port = 1; port <= 1000; ++port)
    keep.put(packet({.port = port, .text_bytes = 1460}));
  BOOST_TEST(keep.packets() == 64U);
  BOOST_TEST(keep.bytes() == 64U * (vnet + 1500));
  BOOST_TEST(keep.bytes() <= 96U * 1024);
  BOOST_TEST(KeepBuffer::bytes_max == 96U * 1024);
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

BOOST_AUTO_TEST_CASE(a_super_packet_becomes_its_own_first_segment) {
  KeepBuffer keep;
  keep.put(packet({.sequence = 7, .text_bytes = 30'000, .segment_bytes = 1448}));
  const auto taken = keep.take();
  BOOST_REQUIRE(taken.size() == 1);
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

BOOST_AUTO_TEST_CASE(a_super_packet_of_segments_that_the_tunnel_has_not_is_not_kept) {
  KeepBuffer keep;
  keep.put(packet({.text_bytes = 30'000, .segment_bytes = 9000}));
  BOOST_TEST(keep.packets() == 0U);
  keep.put(packet({.text_bytes = 500, .segment_bytes = 1448}));  // shorter than one segment
  BOOST_TEST(keep.packets() == 1U);
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
    BOOST_REQUIRE(keep.packets() <= KeepBuffer::packets_max);
    BOOST_REQUIRE(keep.bytes() <= KeepBuffer::bytes_max);
    if (random() % 500 != 0) continue;
    std::map<std::string, int> flows;
    for (const auto& kept : keep.take()) {
      const auto checked = wire::check_packet(kept);
      BOOST_REQUIRE(checked.has_value());
      BOOST_REQUIRE(checked->protocol == 6);
      BOOST_REQUIRE(kept[1] == std::byte{0});  // no super-packet
      BOOST_REQUIRE(kept.size() <= KeepBuffer::packet_bytes_max);
      std::string flow{as_text(checked->ip.subspan(12, 8))};
      flow += as_text(checked->ip.subspan(checked->header_bytes, 4));
      BOOST_REQUIRE(++flows[flow] == 1);
    }
  }
}
