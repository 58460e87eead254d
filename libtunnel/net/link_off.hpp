#pragma once
#include "net/netlink.hpp"

#include <optional>
#include <string>

namespace tunnel::net {

/// Switches one link off, and on again at its end: whoever is at the other end of its cable sees
/// the carrier go and come back. Addresses stay; IPv4 routes that need the link are gone meanwhile,
/// but those of its own addresses come back with it (ip-link(8)).
class LinkOff {
 public:
  /// @param note  a file that says so as long as the link is off, for return_link() after a
  /// SIGKILL;
  ///              on a tmpfs (a reboot forgets both)
  /// @throws NetError; then nothing was changed
  LinkOff(Netlink& netlink, const std::string& name, std::string note);
  /// end() once more, if that has not succeeded yet; what fails then is logged, and the note stays.
  ~LinkOff();
  LinkOff(LinkOff&&) = delete;

  /// Switches it on; one that was unplugged meanwhile is no error.
  /// @throws NetError; the next call tries again
  void end();

 private:
  Netlink& netlink_;
  LinkInfo link_;
  std::string note_;
  bool over_ = false;
};

/// Switches on the link that an earlier process had off when it was killed.
/// @param note  as LinkOff had it; it is deleted
/// @return the link's index; nothing: there was none, or it was unplugged since
/// @throws NetError; the note stays
std::optional<int> return_link(Netlink& netlink, const std::string& note);

}  // namespace tunnel::net
