#include "io/tun_offloads.hpp"

#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#include <cstdio>
#include <initializer_list>

namespace tunnel::io {
namespace {

// Not in the headers of Debian 12 (Linux 6.1).
constexpr std::uint32_t tun_f_uso4 = 0x20;
constexpr std::uint32_t tun_f_uso6 = 0x40;

constexpr std::uint32_t tcp_offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr std::uint32_t udp_offloads = tun_f_uso4 | tun_f_uso6;

}  // namespace

std::uint32_t tun_offloads_taken() {
  utsname kernel{};
  unsigned major = 0;
  unsigned minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%u.%u", &major, &minor) != 2)
    return tcp_offloads;
  const bool takes_udp = major > 6 || (major == 6 && minor >= 2);
  return takes_udp ? tcp_offloads | udp_offloads : tcp_offloads;
}

std::uint32_t set_tun_offloads(int tun_fd, std::uint32_t peer_takes) {
  const auto wanted = peer_takes & tun_offloads_taken();
  // The kernel refuses the whole set for one flag it does not like: give up the newest first.
  for (const auto set : {wanted, wanted & tcp_offloads, wanted & std::uint32_t{TUN_F_CSUM}})
    if (::ioctl(tun_fd, TUNSETOFFLOAD, static_cast<unsigned long>(set)) == 0) return set;
  return 0;
}

}  // namespace tunnel::io
