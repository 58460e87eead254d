#pragma once
#include <cstdint>

/// How what we put into the kernel can be told from what others put there, also after a SIGKILL.
namespace tunnel::net {

/// rtm_protocol of our routes, rules and addresses ("proto 200" in ip(8)). The kernel takes any
/// number a user gives; 200 is free in iproute2's rt_protos.
constexpr std::uint8_t our_protocol = 0xc8;

/// Interface alias of our TUN devices ("alias" in ip -d link).
constexpr char our_link_alias[] = "rdv-netd session";

/// What names of our TUN devices start with; digits follow.
constexpr char our_link_prefix[] = "rdv";

/// The mark a packet must carry, under `permit_mask`, to pass the guard (guard_table.hpp). The low
/// byte is free.
constexpr std::uint32_t permit_mark = 0x52445600;
constexpr std::uint32_t permit_mask = 0xffffff00;

/// The mark of an Ethernet frame that came out of the tunnel, between two hooks of a session's own
/// table; no packet carries it beyond.
constexpr std::uint32_t crossed_mark = 0x52445801;

}  // namespace tunnel::net
