#include "net/link_message.hpp"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace tunnel::net {

Message make_link_request(int index, std::optional<bool> up, std::optional<int> mtu_bytes) {
  ifinfomsg fixed{};
  fixed.ifi_family = AF_UNSPEC;
  fixed.ifi_index = index;
  if (up) fixed.ifi_change = IFF_UP;
  if (up && *up) fixed.ifi_flags = IFF_UP;
  Message request{RTM_NEWLINK, 0, fixed};
  if (mtu_bytes) request.put_u32(IFLA_MTU, static_cast<std::uint32_t>(*mtu_bytes));
  return request;
}

}  // namespace tunnel::net
