#pragma once
#include <boost/system/system_error.hpp>

#include <string>
#include <string_view>

namespace tunnel::net {

/// The kernel refused a change. what() reads "add rule iif usb0 lookup 1: File exists"; when the
/// kernel or nft said more, that comes in brackets: "add route default via 10.0.0.1 (Nexthop has
/// invalid gateway): Network is unreachable". code() holds the kernel's errno (generic category),
/// or a fault of libnl itself (netlink_category).
class NetError : public boost::system::system_error {
 public:
  NetError(boost::system::error_code why, std::string_view attempted);
  NetError(int errno_value, std::string_view attempted);

  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// The faults of libnl that stand for no errno, e.g. a reply that is cut off (NLE_MSG_TRUNC).
const boost::system::error_category& netlink_category() noexcept;

/// A libnl result as an error_code: the errno it stands for where there is exactly one, else
/// netlink_category().
/// @param nle  what a libnl function returned: 0 or a negative NLE_ value
boost::system::error_code netlink_error(int nle) noexcept;

}  // namespace tunnel::net
