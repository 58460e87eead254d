#pragma once
#include "base/unique_fd.hpp"
#include "net/netlink.hpp"

#include <string>

namespace tunnel::net {

/// One TUN or TAP device: IFF_TUN or IFF_TAP, IFF_NO_PI | IFF_VNET_HDR, header 10 bytes
/// little-endian, non-blocking, not persistent.
///
/// The kernel removes it with the last descriptor, and its addresses and routes with it. A
/// descriptor may have been lent to another process, which may hang: so the destructor deletes the
/// link itself. Whoever still holds a descriptor then gets EBADFD from it, and POLLERR. It is made
/// down, with IPv6 off and its alias set to `our_link_alias`; a TAP with ARP off as well, so that
/// the kernel has nothing of its own to say on it.
class TunDevice {
 public:
  enum class Kind {
    tun,  ///< carries packets
    tap,  ///< carries Ethernet frames
  };
  struct Spec {
    std::string name = "rdv%d";  ///< %d: the first free number
    int mtu_bytes = 1500;
    Kind kind = Kind::tun;
  };
  /// No read of a TAP gives more than this and the virtio header, whatever its offloads: the kernel
  /// cuts what would be longer.
  static constexpr int frame_bytes_max = 65535;
  static constexpr int vnet_header_bytes = 10;  ///< struct virtio_net_hdr without num_buffers

  /// @throws NetError EBUSY when a device of that very name exists; then nothing was changed.
  TunDevice(Netlink& netlink, const Spec& spec);
  explicit TunDevice(Netlink& netlink);
  /// Takes over the device of which `lent` is a descriptor: an earlier TunDevice lent it to another
  /// process, and its own process was killed.
  /// @throws NetError EINVAL when it is none, not of our kind, or not of this network namespace;
  /// then nothing was changed
  TunDevice(Netlink& netlink, UniqueFd lent, Kind kind = Kind::tun);
  ~TunDevice();
  TunDevice(TunDevice&&) = delete;

  const std::string& name() const noexcept { return name_; }
  int index() const noexcept { return index_; }
  /// Borrowed: valid as long as this object. sdbus-c++'s UnixFd makes its own copy of it.
  int fd() const noexcept { return fd_.get(); }
  /// Another descriptor of the same device (close-on-exec).
  /// @throws NetError
  UniqueFd duplicate() const;

 private:
  void configure(const Spec& spec);

  Netlink& netlink_;
  UniqueFd fd_;
  std::string name_;
  int index_ = 0;
};

/// Whether a TunDevice, of this process or an earlier one, made it.
bool is_our_tunnel(const LinkInfo& link);

}  // namespace tunnel::net
