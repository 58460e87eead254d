#include "wire/ethernet.hpp"

#include "support/ethernet_frame.hpp"
#include "support/tcp_packet.hpp"
#include "wire/errc.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel::wire {
namespace {

using test::Frame;

bool taken(const Bytes& payload) {
  return check_frame(payload).has_value();
}

/// A frame of any type with `bytes` behind its header.
Bytes plain(std::size_t bytes, std::uint16_t ether_type = 0x88cc,
            std::vector<std::uint16_t> tags = {}) {
  return Frame{.packet = Bytes(vnet_header_bytes + bytes), .ether_type = ether_type, .tags = tags}
      .bytes();
}

Bytes super_tcp(std::vector<std::uint16_t> tags = {}) {
  return Frame{.packet = test::tcp_packet({.text_bytes = 20 * 1448, .segment_bytes = 1448}),
               .tags = tags}
      .bytes();
}
Bytes super_tcp6(std::vector<std::uint16_t> tags = {}) {
  return Frame{
      .packet = test::tcp6_packet(20 * 1428, 1428), .ether_type = ether_type_ipv6, .tags = tags}
      .bytes();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_frame_tells_what_stands_behind_its_tags) {
  for (const auto& tags : {std::vector<std::uint16_t>{}, {7}, {100, 7}}) {
    const auto payload = plain(46, 0x8892, tags);  // PROFINET
    const auto view = check_frame(payload);
    BOOST_REQUIRE(view);
    BOOST_TEST(view->header.bytes == 14 + 4 * tags.size());
    BOOST_TEST(view->header.ether_type == 0x8892);
    BOOST_TEST(view->frame.size() == payload.size() - vnet_header_bytes);
  }
}

BOOST_AUTO_TEST_CASE(what_the_kernel_makes_of_a_lan_is_taken) {
  for (const auto& tags : {std::vector<std::uint16_t>{}, {7}, {100, 7}}) {
    BOOST_TEST(taken(super_tcp(tags)));
    BOOST_TEST(taken(super_tcp6(tags)));
    BOOST_TEST(
        taken(plain(1500, 0x0800, tags)));  // no IP packet, but nobody is asked to do anything
    BOOST_TEST(taken(Frame{.packet = test::tcp_packet({}), .tags = tags}.bytes()));
  }
  BOOST_TEST(taken(plain(0)));
  BOOST_TEST(taken(plain(38, 38)));  // 802.3 with a length, as STP has it
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_or_longer_than_the_cable_allows_is_dropped) {
  const auto frame = plain(0, 0x88cc, {100, 7});
  for (std::size_t bytes = 0; bytes < frame.size(); ++bytes)
    BOOST_TEST(!taken(Bytes{frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes)}));
  BOOST_TEST(!taken(plain(1501)));
  BOOST_TEST(taken(plain(1500, 0x88cc, {100, 7})));
  BOOST_TEST(!taken(plain(1501, 0x88cc, {100, 7})));
  BOOST_TEST(!taken(plain(packet_bytes_max + 100)));
}

BOOST_AUTO_TEST_CASE(nobody_sends_from_a_group_address) {
  auto frame = plain(46);
  BOOST_TEST(taken(frame));
  frame[vnet_header_bytes + 6] |= std::byte{1};
  BOOST_TEST(!taken(frame));
}

BOOST_AUTO_TEST_CASE(the_virtio_net_hdr_agrees_with_the_headers_behind_it) {
  for (const auto& good : {super_tcp(), super_tcp6(), super_tcp({100, 7}), super_tcp6({7})}) {
    const auto with = [&](std::size_t at, int value) {
      auto changed = good;
      changed[at] = static_cast<std::byte>(value);
      return taken(changed);
    };
    BOOST_TEST(!with(0, 0));                                    // no checksum to fill in
    BOOST_TEST(!with(0, 5));                                    // a flag that is not known
    BOOST_TEST(!with(1, 3));                                    // UFO
    BOOST_TEST(!with(1, 5));                                    // UDP, which it is not
    BOOST_TEST(with(1, std::to_integer<int>(good[1]) | 0x80));  // with ECN
    BOOST_TEST(!with(1, good[1] == std::byte{1} ? 4 : 1));      // the other IP
    BOOST_TEST(!with(2, 20));                                   // headers that are not whole
    BOOST_TEST(!with(3, 0xff));                                 // longer than the frame
    BOOST_TEST(!with(5, 0x06));                                 // longer than the cable allows
    BOOST_TEST(!with(6, 0));     // a checksum from the Ethernet header on
    BOOST_TEST(!with(8, 6));     // UDP's
    BOOST_TEST(!with(9, 0xff));  // behind the frame
    auto padded = good;
    padded.resize(padded.size() + 1);
    BOOST_TEST(!taken(padded));
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_is_filled_in_only_behind_an_ip_header) {
  auto arp = plain(46, 0x0806);
  arp[0] = std::byte{1};
  arp[6] = std::byte{34};
  BOOST_TEST(!taken(arp));
  auto fragment = super_tcp();
  fragment[vnet_header_bytes + 14 + 6] = std::byte{0x20};
  BOOST_TEST(!taken(fragment));
  auto six_as_four = super_tcp6();
  six_as_four[vnet_header_bytes + 12] = std::byte{0x08};
  six_as_four[vnet_header_bytes + 13] = std::byte{0x00};
  BOOST_TEST(!taken(six_as_four));
}

BOOST_AUTO_TEST_CASE(the_headers_of_ipv6_are_walked_to_the_transport) {
  // 40 bytes, hop-by-hop (8), destination options (16), and TCP.
  Bytes ip(40 + 8 + 16 + 20);
  ip[0] = std::byte{0x60};
  store_big_endian(std::span{ip}.subspan(4), static_cast<std::uint16_t>(ip.size() - 40));
  ip[40] = std::byte{60};
  ip[48] = std::byte{6};
  ip[49] = std::byte{1};
  const auto view = read_ip(ether_type_ipv6, ip);
  BOOST_REQUIRE(view);
  BOOST_TEST((view->is_v6 && view->protocol == 6 && !view->is_fragment));
  BOOST_TEST(view->header_bytes == 64U);
  ip[49] = std::byte{200};  // longer than the packet
  BOOST_TEST(!read_ip(ether_type_ipv6, ip));
  ip[40] = std::byte{44};
  BOOST_TEST(read_ip(ether_type_ipv6, ip)->is_fragment);
  for (std::size_t bytes = 0; bytes < ip.size(); ++bytes)
    BOOST_TEST(!read_ip(ether_type_ipv6, ByteView{ip}.first(bytes)));
  BOOST_TEST(!read_ip(ether_type_ipv4, ip));
  BOOST_TEST(!read_ip(0x8892, ip));
}

}  // namespace tunnel::wire
