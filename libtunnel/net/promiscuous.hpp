#pragma once
#include "base/unique_fd.hpp"
#include "net/netlink.hpp"

namespace tunnel::net {

/// A link that takes every frame it hears, not only those to its own address, as long as this
/// object lives. The kernel counts who wants it, so that nobody else's wish is undone, and takes
/// ours back with the descriptor, also after SIGKILL. It needs CAP_NET_RAW. No frame is read.
class Promiscuous {
 public:
  /// @throws NetError; then nothing was changed
  explicit Promiscuous(const LinkInfo& link);

 private:
  UniqueFd socket_;
};

}  // namespace tunnel::net
