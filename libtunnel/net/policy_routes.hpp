#pragma once
#include "base/ipv4.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace tunnel::net {

/// Routes in a range of tables that is ours, and the rules that lead this machine's own packets
/// there: `iif lo [from <from>] lookup <table>`. The kernel is compared with what is wanted and
/// only the difference is changed, so that what somebody else deleted comes back, and what is there
/// already costs nothing. Only what carries `our_protocol` is seen: foreign rules and routes may
/// stand beside it, in the same tables too. The destructor takes all of it away.
class PolicyRoutes {
 public:
  /// Which rules and routes of `our_protocol` belong to this object; both ends included.
  struct Range {
    std::uint32_t first_priority = 0, last_priority = 0;
    std::uint32_t first_table = 0, last_table = 0;
  };
  struct HostRoute {
    std::uint32_t table = 0;
    Ipv4Address destination;
    Ipv4Address gateway;  ///< 0.0.0.0: none, the destination is on the link
    int link_index = 0;   ///< 0: unreachable, the sender is told by ICMP

    friend bool operator==(const HostRoute&, const HostRoute&) = default;
  };
  struct Rule {
    std::uint32_t priority = 0;
    std::optional<Ipv4Address> from;  ///< nothing: whatever the source is, or none was chosen yet
    std::uint32_t table = 0;

    friend bool operator==(const Rule&, const Rule&) = default;
  };
  struct Desired {
    std::vector<HostRoute> routes;
    std::vector<Rule> rules;
  };

  PolicyRoutes(Netlink& netlink, const Range& range) : netlink_{netlink}, range_{range} {}
  ~PolicyRoutes();
  PolicyRoutes(PolicyRoutes&&) = delete;

  /// Makes the kernel have exactly these. Routes come before the rules that lead to them, and a new
  /// rule comes before the old one goes.
  ///
  /// @return how many rules and routes were added or deleted: 0 when it was so already
  /// @throws NetError; then part of it may have been done, and the next call does the rest
  std::size_t apply(const Desired& desired);

 private:
  std::vector<HostRoute> list_routes();
  std::vector<Rule> list_own_rules();
  bool request(Message message, const std::string& attempted, int gone);

  Netlink& netlink_;
  Range range_;
};

}  // namespace tunnel::net
