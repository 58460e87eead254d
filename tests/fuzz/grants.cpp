#include "crypto/key.hpp"
#include "fuzz/input.hpp"
#include "wire/grant.hpp"

/// A grant as a device gets it: signature, decoding, and the check against what it asked.
namespace {

using namespace tunnel;
using namespace tunnel::wire;

const crypto::Key& grant_key() {
  static const auto key = crypto::Key::generate();
  return key;
}

void check(const Grant& grant, Role role, fuzz::Input& input) {
  const bool master = role == Role::master;
  const auto& own = master ? grant.master : grant.onsite;
  const auto& peer = master ? grant.onsite : grant.master;
  GrantExpectation expected{.role = role,
                            .system = grant.system,
                            .name = own.name,
                            .key_hash = own.key_hash,
                            .nonce = master ? grant.master_nonce : grant.onsite_nonce,
                            .session = master ? 0 : grant.session,
                            .mode = grant.mode,
                            .peer = peer.name,
                            .own_networks = {}};
  FUZZ_REQUIRE(check_grant(grant, expected).has_value() == (own.key_hash != peer.key_hash));
  const Ipv4Prefix pool{{tunnel_pool}, tunnel_pool_length};
  if (grant.mode == Mode::l2)
    FUZZ_REQUIRE(grant.tunnel == Ipv4Prefix{} && grant.allow.empty() && grant.dns.empty());
  else
    FUZZ_REQUIRE(pool.contains(tunnel_address(grant, role).address));
  const auto network =
      Ipv4Prefix{{input.take<std::uint32_t>()}, static_cast<std::uint8_t>(input.below(33))};
  expected.own_networks = {network};
  if (grant.mode == Mode::l3 && network.overlaps(grant.tunnel))
    FUZZ_REQUIRE(!check_grant(grant, expected));
  expected.own_networks.clear();
  expected.nonce[input.below(nonce_bytes)] ^= std::byte{1};
  FUZZ_REQUIRE(!check_grant(grant, expected));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const auto choice = input.take();
  if ((choice & 0x0fU) == 0) {  // seldom: it is slow
    const auto signature = input.take_bytes(choice >> 1U);
    const auto bytes = input.take_rest();
    FUZZ_REQUIRE(!grant_key().verify(grant_signature_context, bytes, signature));
    FUZZ_REQUIRE(grant_key().verify(grant_signature_context, bytes,
                                    grant_key().sign(grant_signature_context, bytes)));
    return 0;
  }
  const auto grant = decode_grant(input.take_block());
  if (!grant) return 0;
  const auto bytes = encode_grant(*grant);
  const auto again = decode_grant(bytes);
  FUZZ_REQUIRE(again.has_value() && encode_grant(*again) == bytes);
  FUZZ_REQUIRE(grant->seconds > 0 && grant->seconds <= session_seconds_max &&
               grant->allow.size() <= allow_rules_max);
  check(*grant, Role::master, input);
  check(*grant, Role::onsite, input);
  return 0;
}
