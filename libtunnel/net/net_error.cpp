#include "net/net_error.hpp"

#include <fmt/format.h>
#include <netlink/errno.h>

#include <cerrno>

namespace tunnel::net {
namespace {

class NetlinkCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "netlink"; }
  std::string message(int nle) const override { return nl_geterror(-nle); }
};

}  // namespace

NetError::NetError(boost::system::error_code why, std::string_view attempted)
    : system_error{why, std::string{attempted}},
      text_{fmt::format("{}: {}", attempted, why.message())} {}

NetError::NetError(int errno_value, std::string_view attempted)
    : NetError{boost::system::error_code{errno_value, boost::system::generic_category()},
               attempted} {}

const boost::system::error_category& netlink_category() noexcept {
  static const NetlinkCategory category;
  return category;
}

boost::system::error_code netlink_error(int nle) noexcept {
  const auto from_errno = [](int value) {
    return boost::system::error_code{value, boost::system::generic_category()};
  };
  switch (-nle) {  // nl_syserr2nlerr() of libnl 3.7, backwards: the likeliest errno
    case 0: return {};
    case NLE_INTR: return from_errno(EINTR);
    case NLE_BAD_SOCK: return from_errno(EBADF);
    case NLE_AGAIN: return from_errno(EAGAIN);
    case NLE_NOMEM: return from_errno(ENOMEM);
    case NLE_EXIST: return from_errno(EEXIST);
    case NLE_INVAL: return from_errno(EINVAL);
    case NLE_RANGE: return from_errno(ERANGE);
    case NLE_OPNOTSUPP: return from_errno(EOPNOTSUPP);
    case NLE_AF_NOSUPPORT: return from_errno(EAFNOSUPPORT);
    case NLE_OBJ_NOTFOUND: return from_errno(ENOENT);
    case NLE_NOADDR: return from_errno(EADDRNOTAVAIL);
    case NLE_BUSY: return from_errno(EBUSY);
    case NLE_NOACCESS: return from_errno(EACCES);
    case NLE_PERM: return from_errno(EPERM);
    case NLE_NODEV: return from_errno(ENODEV);
    case NLE_PROTO_MISMATCH: return from_errno(EPROTONOSUPPORT);
    default: return {-nle, netlink_category()};
  }
}

}  // namespace tunnel::net
