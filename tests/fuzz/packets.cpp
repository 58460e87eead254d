#include "fuzz/input.hpp"
#include "wire/packet.hpp"

/// The check of packets from the peer: what it takes, the kernel can take on trust.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tunnel;
  const auto payload = std::as_bytes(std::span{data, size});
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
