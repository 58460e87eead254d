#include "net/promiscuous.hpp"

#include "net/net_error.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>

namespace tunnel::net {

// Protocol 0: the socket receives nothing (packet(7)).
Promiscuous::Promiscuous(const LinkInfo& link)
    : socket_{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)} {
  packet_mreq wish{};
  wish.mr_ifindex = link.index;
  wish.mr_type = PACKET_MR_PROMISC;
  if (!socket_ ||
      ::setsockopt(socket_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wish, sizeof wish) != 0)
    throw NetError{errno, "make link " + link.name + " promiscuous"};
}

}  // namespace tunnel::net
