#include "net/address.hpp"

#include "net/ours.hpp"
#include "net/undo.hpp"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace tunnel::net {
namespace {

std::string describe(const Address::Spec& spec) {
  return fmt::format("address {} on {}", spec.address.str(), spec.link);
}

Message make_request(int type, int flags, int index, const Ipv4Prefix& address) {
  ifaddrmsg fixed{};
  fixed.ifa_family = AF_INET;
  fixed.ifa_prefixlen = address.length;
  fixed.ifa_index = static_cast<std::uint32_t>(index);
  Message request{type, flags, fixed};
  request.put_address(IFA_LOCAL, address.address).put_address(IFA_ADDRESS, address.address);
  return request;
}

}  // namespace

Address::Address(Netlink& netlink, const Spec& spec)
    : netlink_{netlink}, index_{netlink.index_of(spec.link, "add " + describe(spec))}, spec_{spec} {
  auto request =
      make_request(RTM_NEWADDR, NLM_F_CREATE | (spec_.may_be_there ? NLM_F_REPLACE : NLM_F_EXCL),
                   index_, spec_.address);
  const Ipv4Address broadcast{spec_.address.address.value | ~spec_.address.mask()};
  if (spec_.address.length < 31) request.put_address(IFA_BROADCAST, broadcast);
  request.put_u8(IFA_PROTO, our_protocol);
  netlink_.socket().request(request, "add " + describe(spec_));
}

Address::~Address() {
  undo(
      netlink_.socket(), [&] { return make_request(RTM_DELADDR, 0, index_, spec_.address); },
      [&] { return "delete " + describe(spec_); }, {ENODEV, EADDRNOTAVAIL});
}

}  // namespace tunnel::net
