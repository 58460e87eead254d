#pragma once
#include "netd_support.hpp"

#include <string>

/// Ethernet frames for the component tests of tundev-netd's L2 mode.
namespace netd_test {

/// Bytes that hex digits stand for; blanks and colons between them are passed over.
std::string bytes(const std::string& hex);
/// A frame: addresses as "02:00:00:00:00:01", everything from the EtherType on in hex.
std::string frame(const std::string& to, const std::string& from, const std::string& rest_hex);
/// Its MAC address. @param link  on that host
std::string mac_of(const Host& host, const std::string& link);

/// The wire at one link of a host: what comes in there, and what is sent by it.
class Wire {
 public:
  Wire(const Host& host, const std::string& link);
  void send(const std::string& frame);
  /// How often this very frame (padding aside), VLAN tags and all, came since the last call. What
  /// was sent before is there: namespaces hand frames over at once, or the caller waits with
  /// until().
  int heard(const std::string& frame);
  /// Waits for it, at most 5 s.
  bool hears(const std::string& frame);

 private:
  tunnel::UniqueFd socket_;
};

}  // namespace netd_test
