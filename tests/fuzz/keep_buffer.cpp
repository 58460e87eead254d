#include "core/keep_buffer.hpp"

#include "fuzz/input.hpp"
#include "wire/packet.hpp"

#include <set>
#include <string>

/// The keep-buffer, given any packets: what it gives back, the kernel at the other end can take on
/// trust, one of each flow, in bounded memory.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tunnel;
  fuzz::Input input{data, size};
  core::KeepBuffer keep;
  std::size_t puts = 0;
  for (; !input.empty(); ++puts) {
    keep.put(input.take_block());
    FUZZ_REQUIRE(keep.packets() <= core::KeepBuffer::packets_max);
    FUZZ_REQUIRE(keep.bytes() <= core::KeepBuffer::bytes_max);
  }
  FUZZ_REQUIRE(keep.packets() <= puts);
  std::set<std::string> flows;
  for (const auto& kept : keep.take()) {
    const auto packet = wire::check_packet(kept);
    FUZZ_REQUIRE(packet.has_value());
    FUZZ_REQUIRE(packet->protocol == 6 && kept[1] == std::byte{0});
    FUZZ_REQUIRE(packet->ip.size() >= packet->header_bytes + 20);
    std::string flow{as_text(packet->ip.subspan(12, 8))};
    flow += as_text(packet->ip.subspan(packet->header_bytes, 4));
    FUZZ_REQUIRE(flows.insert(std::move(flow)).second);
  }
  FUZZ_REQUIRE(keep.packets() == 0);
  return 0;
}
