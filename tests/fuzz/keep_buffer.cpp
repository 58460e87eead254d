#include "core/keep_buffer.hpp"

#include "fuzz/input.hpp"
#include "wire/ethernet.hpp"
#include "wire/packet.hpp"

/// The keep-buffer, given any packets: what it gives back, the kernel at the other end can take on
/// trust, in bounded memory.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tunnel;
  fuzz::Input input{data, size};
  const auto mode = input.flag() ? wire::Mode::l3 : wire::Mode::l2;
  core::KeepBuffer keep{mode};
  std::size_t puts = 0;
  for (; !input.empty(); ++puts) {
    keep.put(input.take_block());
    FUZZ_REQUIRE(keep.bytes() <=
                 core::KeepBuffer::backlog_bytes_max + core::KeepBuffer::newest_bytes_max);
  }
  FUZZ_REQUIRE(keep.packets() <= puts);
  for (const auto& kept : keep.take()) {
    if (mode == wire::Mode::l2) {
      FUZZ_REQUIRE(wire::check_frame(kept).has_value());
      continue;
    }
    const auto packet = wire::check_packet(kept);
    FUZZ_REQUIRE(packet.has_value());
    FUZZ_REQUIRE(packet->protocol == 6);
    FUZZ_REQUIRE(packet->ip.size() >= packet->header_bytes + 20);
  }
  FUZZ_REQUIRE(keep.packets() == 0);
  return 0;
}
