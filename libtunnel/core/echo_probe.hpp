#pragma once
#include "base/ipv4.hpp"
#include "wire/packet.hpp"

#include <array>
#include <cstdint>

namespace tunnel::core {

/// The master's question through the whole path: an ICMP echo request (RFC 792) from its own tunnel
/// address to the onsite's, whose kernel answers it. Pure.
class EchoProbe {
 public:
  /// virtio_net_hdr, IPv4 header, ICMP header, token.
  static constexpr std::size_t payload_bytes = wire::vnet_header_bytes + 20 + 8 + 8;
  using Payload = std::array<std::byte, payload_bytes>;

  /// @param token  random, so that no other ping on the path can be taken for ours
  EchoProbe(Ipv4Address from, Ipv4Address to, std::uint64_t token)
      : from_{from}, to_{to}, token_{token} {}

  /// The payload of the next `packet` frame to send.
  Payload request(std::uint16_t sequence) const;
  /// True when `packet` answers one of our requests: it is ours to take, and the path works.
  bool is_answer(const wire::PacketView& packet) const;

 private:
  Ipv4Address from_, to_;
  std::uint64_t token_;
};

}  // namespace tunnel::core
