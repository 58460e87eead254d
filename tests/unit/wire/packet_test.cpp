#include "wire/packet.hpp"

#include "base/endian.hpp"
#include "wire/errc.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

namespace tunnel::wire {
namespace {

constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;
constexpr std::uint8_t icmp = 1;

// linux/virtio_net.h, which is no C++ (a member called "class").
constexpr std::uint8_t needs_csum = 1;
constexpr std::uint8_t data_valid = 2;
constexpr std::uint8_t gso_none = 0;
constexpr std::uint8_t gso_tcp4 = 1;
constexpr std::uint8_t gso_udp_l4 = 5;
constexpr std::uint8_t gso_ecn = 0x80;

/// A virtio_net_hdr and an IPv4 packet, as a peer could send it.
struct Packet {
  std::uint8_t flags = 0, gso_type = gso_none;
  std::uint16_t hdr_len = 0, gso_size = 0, csum_start = 0, csum_offset = 0;
  std::uint8_t protocol = tcp;
  std::size_t ip_header_bytes = 20;
  std::size_t payload_bytes = 100;  ///< behind the IP header
  int total_length_error = 0;
  std::uint8_t version = 4;
  std::uint16_t fragment = 0;

  Bytes bytes() const {
    Bytes out(vnet_header_bytes + ip_header_bytes + payload_bytes);
    out[0] = std::byte{flags};
    out[1] = std::byte{gso_type};
    const std::array fields{hdr_len, gso_size, csum_start, csum_offset};
    for (std::size_t i = 0; i < fields.size(); ++i) {
      out[2 + 2 * i] = static_cast<std::byte>(fields[i] & 0xff);
      out[3 + 2 * i] = static_cast<std::byte>(fields[i] >> 8);
    }
    const auto ip = std::span{out}.subspan(vnet_header_bytes);
    ip[0] = static_cast<std::byte>(version << 4 | static_cast<int>(ip_header_bytes / 4));
    store_big_endian<std::uint16_t>(
        ip.subspan(2),
        static_cast<std::uint16_t>(static_cast<int>(ip.size()) + total_length_error));
    store_big_endian<std::uint16_t>(ip.subspan(6), fragment);
    ip[9] = std::byte{protocol};
    store_big_endian<std::uint32_t>(ip.subspan(12), 0x0a000001);
    store_big_endian<std::uint32_t>(ip.subspan(16), 0x0a000002);
    return out;
  }
  bool taken() const {
    const auto payload = bytes();
    const auto view = check_packet(payload);
    if (!view) BOOST_TEST((view.error() == Errc::bad_packet));
    return view.has_value();
  }
};

/// A super-packet as the kernel makes it: 20 segments of 1448 bytes.
Packet super_tcp() {
  return {.flags = needs_csum,
          .gso_type = gso_tcp4,
          .hdr_len = 52,
          .gso_size = 1448,
          .csum_start = 20,
          .csum_offset = 16,
          .protocol = tcp,
          .payload_bytes = 32 + 20 * 1448};
}
Packet super_udp() {
  return {.flags = needs_csum,
          .gso_type = gso_udp_l4,
          .hdr_len = 28,
          .gso_size = 1200,
          .csum_start = 20,
          .csum_offset = 6,
          .protocol = udp,
          .payload_bytes = 8 + 20 * 1200};
}

template <class Change>
bool takes(Packet packet, Change change) {
  change(packet);
  return packet.taken();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_packet_tells_who_sends_it_to_whom) {
  const auto payload = Packet{.protocol = icmp, .ip_header_bytes = 24}.bytes();
  const auto view = check_packet(payload);
  BOOST_REQUIRE(view);
  BOOST_TEST(
      (view->source == Ipv4Address{0x0a000001} && view->destination == Ipv4Address{0x0a000002}));
  BOOST_TEST(view->protocol == icmp);
  BOOST_TEST(view->header_bytes == 24U);
  BOOST_TEST(view->ip.size() == payload.size() - vnet_header_bytes);
}

BOOST_AUTO_TEST_CASE(what_the_kernel_makes_is_taken) {
  BOOST_TEST(Packet{}.taken());
  BOOST_TEST(super_tcp().taken());
  BOOST_TEST(super_udp().taken());
  BOOST_TEST(takes(super_tcp(), [](auto& p) { p.gso_type |= gso_ecn; }));
  BOOST_TEST(takes(super_tcp(), [](auto& p) {
    p.hdr_len = static_cast<std::uint16_t>(20 + p.payload_bytes);
  }));  // all linear
  BOOST_TEST((Packet{.flags = needs_csum, .csum_start = 20, .csum_offset = 16}.taken()));
  BOOST_TEST((Packet{.flags = data_valid}.taken()));
  BOOST_TEST((Packet{.protocol = udp, .fragment = 0x2000}
                  .taken()));  // fragments travel, only not as super-packets
  BOOST_TEST((Packet{.payload_bytes = 0}.taken()));
  BOOST_TEST((Packet{.payload_bytes = 65515}.taken()));  // 65,535 in all
}

BOOST_AUTO_TEST_CASE(the_lengths_must_agree) {
  BOOST_TEST((!Packet{.total_length_error = 1}.taken()));
  BOOST_TEST((!Packet{.total_length_error = -1}.taken()));
  BOOST_TEST((!Packet{.payload_bytes = 65516}.taken()));
  const auto good = Packet{}.bytes();
  for (std::size_t length = 0; length < good.size(); ++length)
    BOOST_TEST(check_packet(ByteView{good}.first(length)).has_error());
}

BOOST_AUTO_TEST_CASE(only_ipv4_with_a_whole_header_is_taken) {
  for (std::uint8_t version = 0; version < 16; ++version)
    BOOST_TEST((Packet{.version = version}.taken()) == (version == 4));
  for (int words = 0; words < 16; ++words) {
    auto payload = Packet{.payload_bytes = 10}.bytes();  // 30 bytes of IP: 7 words
    payload[vnet_header_bytes] = static_cast<std::byte>(0x40 | words);
    BOOST_TEST(check_packet(payload).has_value() == (words >= 5 && words <= 7),
               "header of " << words);
  }
}

BOOST_AUTO_TEST_CASE(only_known_flags_and_kinds_of_segmentation_are_taken) {
  for (int flags = 0; flags < 256; ++flags) {
    const Packet packet{
        .flags = static_cast<std::uint8_t>(flags), .csum_start = 20, .csum_offset = 16};
    BOOST_TEST(packet.taken() == (flags <= 3), "flags " << flags);
  }
  for (int type = 0; type < 256; ++type) {
    const auto set = [&](auto& p) { p.gso_type = static_cast<std::uint8_t>(type); };
    BOOST_TEST(takes(super_tcp(), set) == (type == 0 || type == 1 || type == 0x81),
               "tcp as " << type);
    BOOST_TEST(takes(super_udp(), set) == (type == 0 || type == 5), "udp as " << type);
    BOOST_TEST(takes(Packet{.protocol = icmp}, set) == (type == 0), "icmp as " << type);
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_to_fill_in_lies_behind_the_ip_header_and_in_the_packet) {
  for (const int start : {0, 1, 19, 20, 21, 117, 118, 119, 120, 65535})
    for (const int offset : {0, 1, 2, 16, 98, 99, 65535}) {
      const Packet packet{.flags = needs_csum,
                          .csum_start = static_cast<std::uint16_t>(start),
                          .csum_offset = static_cast<std::uint16_t>(offset)};  // 120 bytes of IP
      BOOST_TEST(packet.taken() == (start >= 20 && start + offset + 2 <= 120),
                 start << "+" << offset);
    }
}

BOOST_AUTO_TEST_CASE(the_header_length_never_reaches_behind_the_packet) {
  BOOST_TEST((Packet{.hdr_len = 120}.taken()));
  BOOST_TEST((!Packet{.hdr_len = 121}.taken()));
  BOOST_TEST((!Packet{.hdr_len = 65535}.taken()));
}

BOOST_AUTO_TEST_CASE(a_super_packet_has_whole_headers_and_its_own_checksum) {
  for (const auto& [packet, headers, offset] :
       {std::tuple{super_tcp(), 40, 16}, {super_udp(), 28, 6}}) {
    BOOST_TEST(takes(packet, [&](auto& p) { p.hdr_len = static_cast<std::uint16_t>(headers); }));
    BOOST_TEST(
        !takes(packet, [&](auto& p) { p.hdr_len = static_cast<std::uint16_t>(headers - 1); }));
    BOOST_TEST(!takes(packet, [](auto& p) { p.flags = 0; }));
    BOOST_TEST(!takes(packet, [](auto& p) { p.csum_start = 21; }));
    for (int other = 0; other < 64; ++other)
      BOOST_TEST(takes(packet, [&](auto& p) {
                   p.csum_offset = static_cast<std::uint16_t>(other);
                 }) == (other == offset));
    BOOST_TEST(
        !takes(packet, [&](auto& p) { p.payload_bytes = static_cast<std::size_t>(headers - 21); }));
  }
}

BOOST_AUTO_TEST_CASE(a_fragment_is_no_super_packet) {
  for (const std::uint16_t fragment : {0x2000, 0x0001, 0x1fff, 0x3fff}) {
    BOOST_TEST(!takes(super_tcp(), [&](auto& p) { p.fragment = fragment; }));
    BOOST_TEST(!takes(super_udp(), [&](auto& p) { p.fragment = fragment; }));
  }
  BOOST_TEST(takes(super_tcp(), [](auto& p) { p.fragment = 0x4000; }));  // DF
}

BOOST_AUTO_TEST_CASE(a_super_packet_is_not_cut_into_more_pieces_than_the_kernel_makes) {
  BOOST_TEST(!takes(super_tcp(), [](auto& p) { p.gso_size = 0; }));
  BOOST_TEST(!takes(super_udp(), [](auto& p) { p.gso_size = 0; }));
  const auto longest_tcp = [](std::uint16_t segment) {
    return takes(super_tcp(), [&](auto& p) { p.gso_size = segment, p.payload_bytes = 65515; });
  };
  BOOST_TEST(longest_tcp(8));
  BOOST_TEST(!longest_tcp(7));
  BOOST_TEST(takes(super_tcp(), [](auto& p) { p.gso_size = 1, p.payload_bytes = 20 + 8192; }));
  BOOST_TEST(takes(super_udp(), [](auto& p) { p.gso_size = 10, p.payload_bytes = 8 + 1280; }));
  BOOST_TEST(!takes(super_udp(), [](auto& p) { p.gso_size = 10, p.payload_bytes = 8 + 1281; }));
}

}  // namespace tunnel::wire
