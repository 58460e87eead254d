#include "base/ipv4.hpp"

#include <boost/test/unit_test.hpp>

namespace tunnel {
namespace {

Ipv4Prefix prefix(const char* text) {
  return Ipv4Prefix::parse(text).value();
}
Ipv4Address address(const char* text) {
  return Ipv4Address::parse(text).value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_address_comes_back_as_it_was_written) {
  for (const auto* text : {"0.0.0.0", "192.168.1.50", "255.255.255.255", "10.0.0.1"})
    BOOST_TEST(address(text).str() == text);
  BOOST_TEST(address("192.168.1.50").value == 0xC0A80132);
}

BOOST_AUTO_TEST_CASE(only_dotted_quads_are_addresses) {
  for (const auto* text : {"",
                           ".",
                           "1",
                           "1.2",
                           "1.2.3",
                           "1.2.3.",
                           "1.2.3.4.",
                           "1.2.3.4.5",
                           ".1.2.3.4",
                           "1..2.3",
                           "1.2.3.256",
                           "256.1.1.1",
                           "1.2.3.4294967296",
                           "1.2.3.99999999999999999999",
                           "1.2.3.-4",
                           "1.2.3.+4",
                           "01.2.3.4",
                           "1.2.3.04",
                           "1.2.3.00",
                           " 1.2.3.4",
                           "1.2.3.4 ",
                           "1.2.3.4\n",
                           "0x1.2.3.4",
                           "1.2.3.a",
                           "1,2,3,4",
                           "::1",
                           "1.2.3.4/24",
                           "a.b.c.d",
                           "1.2.3.4x"})
    BOOST_TEST(!Ipv4Address::parse(text), "taken: " << text);
  BOOST_TEST(!Ipv4Address::parse(std::string_view{"1.2.3.4\0", 8}));
}

BOOST_AUTO_TEST_CASE(a_prefix_keeps_its_host_bits_until_asked_for_the_network) {
  const auto lan = prefix("192.168.1.10/24");
  BOOST_TEST(lan.str() == "192.168.1.10/24");
  BOOST_TEST(lan.network().str() == "192.168.1.0/24");
  BOOST_TEST(prefix("10.1.2.3").str() == "10.1.2.3/32");
  BOOST_TEST(prefix("10.1.2.3/0").network().str() == "0.0.0.0/0");
}

BOOST_AUTO_TEST_CASE(only_lengths_of_0_to_32_make_prefixes) {
  for (const auto* text :
       {"1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/024", "1.2.3.4/1/2", "/24", "1.2.3/24",
        "1.2.3.4/ 8", "1.2.3.4/8 ", "1.2.3.4/4294967328", "1.2.3.4/255.0.0.0", "1.2.3.4//8"})
    BOOST_TEST(!Ipv4Prefix::parse(text), "taken: " << text);
}

BOOST_AUTO_TEST_CASE(every_length_contains_its_first_and_last_address_and_no_neighbour) {
  for (unsigned length = 1; length <= 32; ++length) {
    const Ipv4Prefix network =
        Ipv4Prefix{address("172.16.99.201"), static_cast<std::uint8_t>(length)}.network();
    const std::uint32_t first = network.address.value;
    const std::uint32_t last = first | ~network.mask();
    BOOST_TEST(network.contains({first}));
    BOOST_TEST(network.contains({last}));
    BOOST_TEST(!network.contains({first - 1}));
    BOOST_TEST(!network.contains({last + 1}));
  }
  BOOST_TEST(prefix("0.0.0.0/0").contains(address("255.255.255.255")));
}

BOOST_AUTO_TEST_CASE(two_networks_overlap_when_one_holds_the_other) {
  BOOST_TEST(prefix("192.168.1.0/24").overlaps(prefix("192.168.1.128/30")));
  BOOST_TEST(prefix("192.168.1.128/30").overlaps(prefix("192.168.1.7/24")));
  BOOST_TEST(prefix("0.0.0.0/0").overlaps(prefix("8.8.8.8/32")));
  BOOST_TEST(!prefix("192.168.1.0/25").overlaps(prefix("192.168.1.128/25")));
}

}  // namespace tunnel
