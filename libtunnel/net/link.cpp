#include "net/link.hpp"

#include "net/link_message.hpp"
#include "net/net_error.hpp"
#include "net/undo.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace tunnel::net {
Link::Link(Netlink& netlink, const Spec& spec) : netlink_{netlink}, spec_{spec} {
  const auto attempted =
      spec_.mtu_bytes ? fmt::format("switch on link {} with MTU {}", spec_.name, *spec_.mtu_bytes)
                      : fmt::format("switch on link {}", spec_.name);
  const auto found = netlink_.find_link(spec_.name);
  if (!found) throw NetError{ENODEV, attempted};
  before_ = *found;
  auto request = make_link_request(before_.index, true, spec_.mtu_bytes);
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
      netlink_.socket(), [&] { return make_link_request(before_.index, down, mtu); },
      [&] { return "put back link " + spec_.name; }, {ENODEV});
}

}  // namespace tunnel::net
