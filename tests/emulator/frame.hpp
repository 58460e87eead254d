#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace emulator {

/// Longest Ethernet frame a cable carries: MTU 1500, header, one VLAN tag; and room to notice more.
constexpr std::size_t frame_bytes_max = 1800;

/// struct virtio_net_hdr; linux/virtio_net.h is no C++.
constexpr std::size_t offload_header_bytes = 10;

/// One Ethernet frame as a packet socket gives and takes it (packet(7), PACKET_VNET_HDR): the
/// virtio header says which checksum the sender left to the network card.
struct Frame {
  std::array<std::byte, offload_header_bytes> offload{};
  std::array<std::byte, frame_bytes_max> ethernet;  ///< header and payload, no FCS
  std::size_t bytes = 0;                            ///< of `ethernet`
};

using FramePtr = std::unique_ptr<Frame>;

}  // namespace emulator
