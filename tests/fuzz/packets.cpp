#include "fuzz/input.hpp"
#include "wire/ethernet.hpp"
#include "wire/packet.hpp"

namespace {

using namespace tunnel;

std::size_t vnet_field(ByteView payload, std::size_t at) {
  return std::to_integer<std::size_t>(payload[at]) | std::to_integer<std::size_t>(payload[at + 1])
                                                         << 8U;
}

/// The same bytes as an Ethernet frame.
void check_as_frame(ByteView payload) {
  const auto view = wire::check_frame(payload);
  if (!view) return;
  const auto& [header, frame] = *view;
  FUZZ_REQUIRE(frame.size() == payload.size() - wire::vnet_header_bytes);
  FUZZ_REQUIRE(header.bytes <= frame.size() && header.bytes <= wire::ethernet_header_bytes_max);
  FUZZ_REQUIRE(vnet_field(payload, 2) <= frame.size());
  const bool has_work = (payload[0] & std::byte{1}) != std::byte{0};
  const bool is_super = payload[1] != std::byte{0};
  FUZZ_REQUIRE(has_work || !is_super);
  if (!is_super) FUZZ_REQUIRE(frame.size() <= header.bytes + wire::tunnel_mtu_bytes);
  if (!has_work) return;
  const auto start = vnet_field(payload, 6), offset = vnet_field(payload, 8);
  const auto ip = wire::read_ip(header.ether_type, frame.subspan(header.bytes));
  FUZZ_REQUIRE(ip && ip->header_bytes <= ip->packet.size());
  FUZZ_REQUIRE(start >= header.bytes + ip->header_bytes && start + offset + 2 <= frame.size());
  if (is_super)
    FUZZ_REQUIRE(vnet_field(payload, 4) > 0 && start == header.bytes + ip->header_bytes);
}

}  // namespace

/// The check of packets from the peer: what it takes, the kernel can take on trust.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto payload = std::as_bytes(std::span{data, size});
  check_as_frame(payload);
  const auto packet = wire::check_packet(payload);
  if (!packet) return 0;
  const auto field = [&](std::size_t at) {
    return std::size_t{data[at]} | std::size_t{data[at + 1]} << 8U;
  };
  const auto header_length = field(2), segment = field(4), start = field(6), offset = field(8);
  FUZZ_REQUIRE(packet->ip.size() == size - wire::vnet_header_bytes);
  FUZZ_REQUIRE(packet->ip.size() == load_big_endian<std::uint16_t>(packet->ip.subspan(2)));
  FUZZ_REQUIRE(packet->header_bytes >= 20 && packet->header_bytes <= packet->ip.size());
  FUZZ_REQUIRE(header_length <= packet->ip.size());
  if ((data[0] & 1U) != 0)
    FUZZ_REQUIRE(start >= packet->header_bytes && start + offset + 2 <= packet->ip.size());
  if (data[1] != 0)
    FUZZ_REQUIRE(segment > 0 && (data[0] & 1U) != 0 && start == packet->header_bytes);
  return 0;
}
