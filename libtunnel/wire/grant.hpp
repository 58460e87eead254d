#pragma once
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/ipv4.hpp"
#include "base/result.hpp"
#include "wire/messages.hpp"

#include <vector>

namespace tunnel::wire {

/// One thing a session may reach: a prefix, an IP protocol (0: any) and a range of ports (0 to 0:
/// any).
struct Allow {
  Ipv4Prefix prefix;
  std::uint8_t protocol = 0;
  std::uint16_t port_first = 0;
  std::uint16_t port_last = 0;
  bool operator==(const Allow&) const = default;
};

struct Party {
  Name name;
  Hash key_hash{};  ///< SHA-256 of the DER SubjectPublicKeyInfo of its certificate
  bool operator==(const Party&) const = default;
};

/// The server's statement of one session (DESIGN 4). It travels as exact bytes with a signature
/// over `grant_signature_context` followed by them; the bytes are never encoded anew.
struct Grant {
  std::uint32_t version = 1;
  std::uint64_t session = 0;
  std::uint32_t epoch = 1;
  Party master, onsite;
  Name system;
  Mode mode = Mode::l3;
  std::vector<Allow> allow;
  std::uint32_t seconds = 0;  ///< the session's absolute limit; never 0
  std::uint64_t features = 0;
  Nonce master_nonce{}, onsite_nonce{};
  UnixSeconds server_time = 0;
  /// A /30 of tunnel_pool: the onsite has its first host, the master its second. In L2 there is
  /// none, nor is there anything in the lists: nothing of a frame is looked at.
  Ipv4Prefix tunnel;
  std::vector<Ipv4Address> dns;   ///< the customer's DNS servers
  std::vector<Ipv4Address> deny;  ///< never forwarded to: the RDV server
};

/// Prefixed to the grant's bytes before signing, so that no other signature of that key can be
/// taken for one.
inline constexpr std::string_view grant_signature_context{"rdv-grant/1\0", 12};

Bytes encode_grant(const Grant& grant);
/// @retval Errc::malformed, Errc::bad_name, Errc::bad_value, Errc::unsupported_version  refuse the
/// session
Result<Grant> decode_grant(ByteView bytes);

/// What a device knows by itself when a grant arrives.
struct GrantExpectation {
  Role role;                  ///< ours
  Name system, name;          ///< ours
  Hash key_hash{};            ///< of our own key
  Nonce nonce{};              ///< the fresh one we sent for this session
  std::uint64_t session = 0;  ///< onsite: of the Offer; master: 0 (learns it here)
  Mode mode = Mode::l3;
  std::optional<Name> peer;  ///< master: the onsite it asked for; onsite: the master of the Offer
  std::vector<Ipv4Prefix> own_networks;  ///< the tunnel must overlap none of these
};

/// Decides if a grant (its signature checked already) is the answer to what this device asked.
/// @retval Errc::wrong_party, Errc::stale_nonce, Errc::bad_value  refuse the session
Result<void> check_grant(const Grant& grant, const GrantExpectation& expected);

/// Decides if a grant (check_grant() took it) goes on with the session of the grant `before`: what
/// stands in both kernels must stay true.
/// @retval Errc::stale_nonce  its epoch is not newer
/// @retval Errc::wrong_party, Errc::bad_value  refuse the session
Result<void> check_resumed_grant(const Grant& grant, const Grant& before);

/// The device's own address in the tunnel, the other end's, both with the /30's length; of L2
/// 0.0.0.0.
Ipv4Prefix tunnel_address(const Grant& grant, Role role);

}  // namespace tunnel::wire
