#include "netd/extremity.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"
#include "netd/filter_text.hpp"

namespace device {
namespace {

constexpr std::uint32_t local_table = 255;
constexpr std::uint32_t to_us_priority = 10;
constexpr std::uint32_t elsewhere_priority = 20;

std::string conf(const std::string& port, const char* key) {
  return "ipv4/conf/" + port + '/' + key;
}

/// Nothing on a machine without IPv6.
std::optional<net::Sysctl> without_routers(const std::string& port, const std::string& journal) {
  const auto key = "ipv6/conf/" + port + "/accept_ra";
  if (!net::read_sysctl(key)) return std::nullopt;
  return std::optional<net::Sysctl>{
      std::in_place, net::Sysctl::Spec{.key = key, .value = "0", .journal = journal}};
}

}  // namespace

std::string sysctl_journal(const std::string& runtime_dir) {
  return runtime_dir + "/netd-sysctls";
}

std::string port_off_note(const std::string& runtime_dir) {
  return runtime_dir + "/netd-port-off";
}

NoWay::NoWay(const std::string& port, const tunnel::Ipv4Prefix& laptop)
    : closed_{no_way_filter(port, laptop, "reject with icmp type host-unreachable")},
      silent_{no_way_filter(port, laptop, "drop")},
      table_{{.name = port_table, .body = closed_}} {}

void NoWay::open() {
  table_.replace("");
}

void NoWay::hush() {
  table_.replace(silent_);
}

void NoWay::shut() noexcept {
  try {
    table_.replace(closed_);
  } catch (const std::exception& error) {
    tunnel::log::warn("cannot tell the laptop that there is no way",
                      {tunnel::log::reason(error.what())});
  }
}

ExtremityNetwork::ExtremityNetwork(net::Netlink& netlink, Guard& guard, const std::string& port,
                                   const tunnel::Ipv4Prefix& ours, const std::string& journal)
    : guarded{guard, {.ports = {port}}},
      no_way{port, ours},
      dead_end{netlink,
               {.table = laptop_table,
                .type = net::Route::Type::unreachable,
                .metric = net::Route::guard_metric}},
      to_us{netlink,
            {.iif = port, .to = ours.network(), .table = local_table, .priority = to_us_priority}},
      elsewhere{netlink, {.iif = port, .table = laptop_table, .priority = elsewhere_priority}},
      others{netlink},
      loose{{.key = conf(port, "rp_filter"), .value = "2", .journal = journal}},
      forwarding{{.key = conf(port, "forwarding"), .value = "1", .journal = journal}},
      no_routers{without_routers(port, journal)},
      address{netlink, {.link = port, .address = ours}} {}

}  // namespace device
