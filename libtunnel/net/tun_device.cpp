#include "net/tun_device.hpp"

#include "net/net_error.hpp"
#include "net/ours.hpp"
#include "net/sysctl.hpp"
#include "net/undo.hpp"

#include <fmt/format.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>

namespace tunnel::net {
namespace {

using Kind = TunDevice::Kind;

/// Cut is what has this length or more (gso_features_check(), Linux 6.1); a VLAN tag is not counted
/// yet, and a second one may be.
constexpr std::uint32_t gso_bytes_max = TunDevice::frame_bytes_max - 2 * 4;

constexpr const char* word(Kind kind) {
  return kind == Kind::tap ? "TAP" : "TUN";
}

constexpr int flags(Kind kind) {
  return (kind == Kind::tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR;
}

/// Makes the device; the descriptor alone keeps it alive.
std::string attach(int fd, const std::string& name, Kind kind) {
  const auto attempted = fmt::format("create {} device {}", word(kind), name);
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name) throw NetError{EINVAL, attempted};
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_flags = static_cast<short>(flags(kind) | IFF_TUN_EXCL);
  if (::ioctl(fd, TUNSETIFF, &request) != 0) throw NetError{errno, attempted};
  return request.ifr_name;
}

void set_vnet_header(int fd, const std::string& name) {
  int bytes = TunDevice::vnet_header_bytes;
  int little_endian = 1;
  if (::ioctl(fd, TUNSETVNETHDRSZ, &bytes) != 0 || ::ioctl(fd, TUNSETVNETLE, &little_endian) != 0)
    throw NetError{errno, fmt::format("set the virtio header of TUN device {}", name)};
}

/// The name alone does not tell: another network namespace may have a device of that name.
bool is_of_our_namespace(int fd) {
  const UniqueFd its{::ioctl(fd, TUNGETDEVNETNS)};
  const UniqueFd ours{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  struct stat a {};
  struct stat b {};
  return its && ours && ::fstat(its.get(), &a) == 0 && ::fstat(ours.get(), &b) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// @return what it is, when it is one that this class made
LinkInfo identify(Netlink& netlink, int fd, Kind kind) {
  const auto take_over = fmt::format("take over a {} device", word(kind));
  ifreq found{};
  if (::ioctl(fd, TUNGETIFF, &found) != 0 || (found.ifr_flags & flags(kind)) != flags(kind) ||
      !is_of_our_namespace(fd))
    throw NetError{EINVAL, take_over};
  const auto link = netlink.find_link(found.ifr_name);
  if (!link || !is_our_tunnel(*link)) throw NetError{EINVAL, take_over};
  return *link;
}

}  // namespace

bool is_our_tunnel(const LinkInfo& link) {
  return link.kind == "tun" && link.alias == our_link_alias &&
         link.name.starts_with(our_link_prefix);
}

TunDevice::TunDevice(Netlink& netlink) : TunDevice{netlink, Spec{}} {}

TunDevice::TunDevice(Netlink& netlink, const Spec& spec)
    : netlink_{netlink}, fd_{::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)} {
  if (!fd_) throw NetError{errno, "open /dev/net/tun"};
  name_ = attach(fd_.get(), spec.name, spec.kind);
  set_vnet_header(fd_.get(), name_);
  configure(spec);
}

TunDevice::TunDevice(Netlink& netlink, UniqueFd lent, Kind kind)
    : netlink_{netlink}, fd_{std::move(lent)} {
  const auto link = identify(netlink, fd_.get(), kind);
  name_ = link.name;
  index_ = link.index;
  set_vnet_header(fd_.get(), name_);
}

void TunDevice::configure(const Spec& spec) {
  const auto attempted = fmt::format("configure {} device {}", word(spec.kind), name_);
  index_ = netlink_.index_of(name_, attempted);
  // Before it is up: no link-local address, no router solicitation into the tunnel.
  const auto key = fmt::format("ipv6/conf/{}/disable_ipv6", name_);
  if (read_sysctl(key)) write_sysctl(key, "1");
  ifinfomsg fixed{};
  fixed.ifi_index = index_;
  if (spec.kind == Kind::tap) fixed.ifi_flags = fixed.ifi_change = IFF_NOARP;
  Message request{RTM_NEWLINK, 0, fixed};
  if (spec.kind == Kind::tap) request.put_u32(IFLA_GSO_MAX_SIZE, gso_bytes_max);
  request.put_u32(IFLA_MTU, static_cast<std::uint32_t>(spec.mtu_bytes));
  request.put_text(IFLA_IFALIAS, our_link_alias);
  netlink_.socket().request(request, attempted);
}

TunDevice::~TunDevice() {
  ifinfomsg fixed{};
  fixed.ifi_index = index_;
  undo(
      netlink_.socket(),
      [&] {
        return Message{RTM_DELLINK, 0, fixed};
      },
      [&] { return "delete TUN device " + name_; }, {ENODEV});
}

UniqueFd TunDevice::duplicate() const {
  UniqueFd copy{::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)};
  if (!copy) throw NetError{errno, fmt::format("duplicate the descriptor of {}", name_)};
  return copy;
}

}  // namespace tunnel::net
