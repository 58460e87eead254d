#include "net/link.hpp"

#include "net/net_error.hpp"
#include "net/undo.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

namespace tunnel::net {
namespace {

Message set_link(int index, std::optional<bool> up, std::optional<int> mtu_bytes) {
  ifinfomsg fixed{};
  fixed.ifi_family = AF_UNSPEC;
  fixed.ifi_index = index;
  if (up) fixed.ifi_change = IFF_UP;
  if (up && *up) fixed.ifi_flags = IFF_UP;
  Message request{RTM_NEWLINK, 0, fixed};
  if (mtu_bytes) request.put_u32(IFLA_MTU, static_cast<std::uint32_t>(*mtu_bytes));
  return request;
}

}  // namespace

Link::Link(Netlink& netlink, const Spec& spec) : netlink_{netlink}, spec_{spec} {
  const auto attempted =
      spec_.mtu_bytes ? fmt::format("switch on link {} with MTU {}", spec_.name, *spec_.mtu_bytes)
                      : fmt::format("switch on link {}", spec_.name);
  const auto found = netlink_.find_link(spec_.name);
  if (!found) throw NetError{ENODEV, attempted};
  before_ = *found;
  auto request = set_link(before_.index, true, spec_.mtu_bytes);
  try {
    netlink_.socket().request(request, attempted);
  } catch (const NetError&) {
    restore();  // the kernel may have taken the MTU before it refused the rest
    throw;
  }
}

Link::~Link() {
  restore();
}

void Link::restore() noexcept {
  const auto down = before_.up ? std::nullopt : std::optional{false};
  const auto mtu = spec_.mtu_bytes && *spec_.mtu_bytes != before_.mtu_bytes
                       ? std::optional{before_.mtu_bytes}
                       : std::nullopt;
  if (!down && !mtu) return;
  undo(
      netlink_.socket(), [&] { return set_link(before_.index, down, mtu); },
      [&] { return "put back link " + spec_.name; }, {ENODEV});
}

LinkOff::LinkOff(Netlink& netlink, const std::string& name) : netlink_{netlink} {
  const auto attempted = fmt::format("switch off link {}", name);
  const auto found = netlink_.find_link(name);
  if (!found) throw NetError{ENODEV, attempted};
  link_ = *found;
  auto request = set_link(link_.index, false, std::nullopt);
  netlink_.socket().request(request, attempted);
}

LinkOff::~LinkOff() {
  undo(
      netlink_.socket(), [&] { return set_link(link_.index, true, std::nullopt); },
      [&] { return "switch on link " + link_.name; }, {ENODEV});
}

}  // namespace tunnel::net
