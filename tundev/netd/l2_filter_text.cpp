#include "netd/l2_filter_text.hpp"

#include "net/ours.hpp"

#include <fmt/format.h>

namespace device {

namespace net = tunnel::net;

namespace {

struct Stations {
  int max;
  int minutes;
};
constexpr Stations of_laptop{laptop_stations_max, laptop_station_minutes};
constexpr Stations of_lan{lan_stations_max, lan_station_minutes};

std::string set(const char* name, const Stations& stations) {
  return fmt::format("set {} {{ type ether_addr; size {}; flags dynamic,timeout; timeout {}m; }}\n",
                     name, stations.max, stations.minutes);
}

std::string memory(const Stations& near, const Stations& far) {
  return set("near", near) + set("far", far) +
         fmt::format(
             R"(set looped {{ type ether_addr; size {0}; flags dynamic,timeout; timeout {1}s; }}
set rates {{ type ether_addr; size {0}; flags dynamic,timeout; timeout {1}s; }}
counter loops {{ }}
counter refused {{ }}
counter too_many {{ }}
)",
             lan_stations_max, looped_seconds);
}

constexpr std::string_view multicast_source =
    "ether saddr & 01:00:00:00:00:00 != 00:00:00:00:00:00";
constexpr std::string_view unicast = "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00";
constexpr std::string_view multicast = "ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00";
constexpr std::string_view refused = "counter name refused";

/// What a network decides for itself, and a laptop must not tell it: spanning tree, flow control,
/// 802.1X, LACP, LLDP (01:80:c2:00:00:00 to 0f, IEEE 802.1Q 8.6.3), GARP and MRP (20 to 2f),
/// Cisco's CDP, VTP, DTP, UDLD and PVST+; redundant rings (IEC 62439: MRP, PRP, HSR); routers'
/// advertisements and redirects (RFC 6105, RFC 1256, RFC 792); answers of DHCP servers and relays,
/// by either port.
///
/// The kernel has taken one VLAN tag off before, and skips IPv6's extension headers. What would
/// hide all that goes as well: a second tag, IP behind LLC/SNAP, IP headers that the kernel cannot
/// follow, and a first fragment of IPv6 in which the transport header is not there yet (RFC 7113).
std::string to_customer() {
  return fmt::format(R"(chain first_fragment {{
  @th,0,8 < 128 return
  @th,0,8 >= 128 return
  {0} drop
}}
chain to_customer {{
  ether daddr & ff:ff:ff:ff:ff:c0 == 01:80:c2:00:00:00 {0} drop
  ether daddr {{ 01:00:0c:cc:cc:cc, 01:00:0c:cc:cc:cd }} {0} drop
  ether daddr & ff:ff:ff:00:00:00 == 01:15:4e:00:00:00 {0} drop
  meta protocol {{ 8021q, 8021ad }} {0} drop
  meta protocol 0x0004 @nh,0,16 0xaaaa {0} drop
  meta protocol ip udp sport 67 {0} drop
  meta protocol ip udp dport 68 {0} drop
  meta protocol ip icmp type {{ redirect, router-advertisement }} {0} drop
  meta protocol ip6 udp sport 547 {0} drop
  meta protocol ip6 udp dport 546 {0} drop
  meta protocol ip6 icmpv6 type {{ nd-router-advert, nd-redirect }} {0} drop
  meta protocol ip6 frag frag-off 0 jump first_fragment
  meta protocol {{ ip, ip6 }} meta l4proto != 255 return
  meta protocol {{ ip, ip6 }} {0} drop
}}
)",
                     refused);
}

/// What belongs to one cable passes in no direction, but for LLDP: it tells an engineer what the
/// customer's switch is.
/// @param verdict  "drop", or "accept": stays with this host
std::string to_laptop(std::string_view verdict) {
  return fmt::format(R"(chain to_laptop {{
  ether daddr 01:80:c2:00:00:0e ether type 0x88cc return
  ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 {0} {1}
  ether daddr 01:00:0c:cc:cc:cd {0} {1}
}}
)",
                     refused, verdict);
}

std::string head(std::string_view hook, const std::string& link, std::string_view policy) {
  return fmt::format("type filter hook {} device \"{}\" priority filter; policy {};", hook, link,
                     policy);
}

std::string faster_than_allowed(int burst) {
  return fmt::format("update @rates {{ ether saddr limit rate over {}/second burst {} packets }}",
                     multicast_per_second_max, burst);
}

/// For frames of the LAN.
const std::string too_fast = faster_than_allowed(multicast_per_second_max);

/// For frames of the laptop's side.
const std::string no_storm =
    fmt::format("{} {} update @looped {{ ether saddr }} counter name loops drop", multicast,
                faster_than_allowed(scan_packets_max));

/// For frames of the tunnel: nothing that is ours or the port's comes out of it.
std::string no_loop_from_tunnel(const std::string& mac) {
  return fmt::format(R"(  {0} drop
  ether saddr {1} counter name loops drop
  ether saddr @near update @looped {{ ether saddr }} counter name loops drop
  ether saddr @looped drop
)",
                     multicast_source, mac);
}

}  // namespace

std::string l2_onsite_filter(const std::string& port, const std::string& mac,
                             const std::string& tap) {
  return memory(of_lan, of_laptop) + to_customer() + to_laptop("accept") +
         fmt::format(
             R"(chain into_tunnel {{
  ether daddr @looped accept
  jump to_laptop
  {unicast} ether daddr @far fwd to "{tap}"
  {unicast} accept
  {too_fast} counter name too_many accept
  dup to "{tap}"
}}
chain from_port {{
  {port_in}
  meta mark {mark:#x} meta mark set 0 accept
  ether saddr {mac} counter name loops accept
  ether saddr @far update @looped {{ ether saddr }} delete @far {{ ether saddr }} counter name loops accept
  ether saddr @looped accept
  update @near {{ ether saddr }}
  goto into_tunnel
}}
chain from_host {{
  {port_out}
  meta mark {mark:#x} accept
  goto into_tunnel
}}
chain from_tunnel {{
  {tap_in}
{no_loop}  {no_storm}
  jump to_customer
  update @far {{ ether saddr }}
  ether saddr != @far counter name too_many drop
  meta mark set {mark:#x}
  ether daddr {mac} meta pkttype set host fwd to "{tap}"
  {unicast} fwd to "{port}"
  dup to "{port}"
  ether daddr set {mac} fwd to "{tap}"
}}
)",
             fmt::arg("unicast", unicast), fmt::arg("too_fast", too_fast),
             fmt::arg("no_storm", no_storm), fmt::arg("tap", tap), fmt::arg("port", port),
             fmt::arg("mac", mac), fmt::arg("mark", net::crossed_mark),
             fmt::arg("port_in", head("ingress", port, "accept")),
             fmt::arg("port_out", head("egress", port, "accept")),
             fmt::arg("tap_in", head("ingress", tap, "drop")),
             fmt::arg("no_loop", no_loop_from_tunnel(mac)));
}

std::string l2_master_filter(const std::string& port, const std::string& mac,
                             tunnel::Ipv4Address own, const std::string& tap) {
  return memory(of_laptop, of_lan) + to_customer() + to_laptop("drop") +
         fmt::format(
             R"(chain from_port {{
  {port_in}
  {multicast_source} drop
  ether saddr {mac} counter name loops drop
  ether saddr @far update @looped {{ ether saddr }} counter name loops drop
  ether saddr @looped drop
  update @near {{ ether saddr }}
  ether saddr != @near counter name too_many drop
  {no_storm}
  ether daddr {mac} accept
  meta protocol arp arp daddr ip {own} accept
  jump to_customer
  fwd to "{tap}"
}}
chain from_tunnel {{
  {tap_in}
{no_loop}  jump to_laptop
  update @far {{ ether saddr }}
  fwd to "{port}"
}}
)",
             fmt::arg("port_in", head("ingress", port, "drop")),
             fmt::arg("tap_in", head("ingress", tap, "drop")),
             fmt::arg("multicast_source", multicast_source), fmt::arg("mac", mac),
             fmt::arg("own", own.str()), fmt::arg("no_storm", no_storm), fmt::arg("tap", tap),
             fmt::arg("port", port), fmt::arg("no_loop", no_loop_from_tunnel(mac)));
}

}  // namespace device
