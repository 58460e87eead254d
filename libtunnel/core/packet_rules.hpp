#pragma once
#include "base/ipv4.hpp"
#include "wire/names.hpp"
#include "wire/packet.hpp"

namespace tunnel::core {

/// The addresses that the other end's packets may have (DESIGN 5): an end accepts only the
/// session's own. What lies behind an onsite is the kernel filter's to decide, from the grant.
/// Pure.
class PacketRules {
 public:
  /// @param role    ours
  /// @param master  the master's address in the tunnel
  PacketRules(wire::Role role, Ipv4Address master) : role_{role}, master_{master} {}

  /// Onsite: from the master's tunnel address, to something that can be one host on a LAN.
  /// Master: to its own tunnel address, from something that can be a host.
  bool accepts(const wire::PacketView& packet) const {
    if (role_ == wire::Role::onsite)
      return packet.source == master_ && is_host(packet.destination) &&
             packet.destination != master_;
    return packet.destination == master_ && is_host(packet.source);
  }

 private:
  /// Not "this network", loopback, link-local, multicast, reserved or broadcast (RFC 6890).
  static bool is_host(Ipv4Address address) {
    const auto first = address.value >> 24U;
    return first != 0 && first != 127 && first < 224 && address.value >> 16U != 0xA9FE;
  }

  wire::Role role_;
  Ipv4Address master_;
};

}  // namespace tunnel::core
