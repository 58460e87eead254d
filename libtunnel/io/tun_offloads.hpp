#pragma once
#include <cstdint>

/// Which super-packets two kernels may hand each other through the tunnel (DESIGN 5); TUN_F_* of
/// linux/if_tun.h.
namespace tunnel::io {

/// What this kernel takes when it is written to a TUN: checksums to fill in and TCP segmentation
/// always, UDP segmentation from Linux 6.2 on.
std::uint32_t tun_offloads_taken();

/// Sets what the kernel may hand *us* on `tun_fd`: what the other end takes, as far as this kernel
/// can. Before any packet.
/// @return what was set; 0 when `tun_fd` is no TUN
std::uint32_t set_tun_offloads(int tun_fd, std::uint32_t peer_takes);

}  // namespace tunnel::io
