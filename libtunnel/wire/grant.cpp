#include "wire/grant.hpp"

#include "wire/proto_fields.hpp"

namespace tunnel::wire {
namespace {

using namespace proto;

constexpr std::uint32_t grant_version = 1;
constexpr std::uint8_t tunnel_length = 30;

void put(pb::Party& out, const Party& party) {
  out.set_name(party.name.str());
  proto::put(*out.mutable_key_hash(), party.key_hash);
}
Result<Party> take_party(const pb::Party& in) {
  const auto name = Name::parse(in.name());
  if (!name) return name.error();
  const auto hash = take_array<hash_bytes>(in.key_hash());
  if (!hash) return Errc::bad_value;
  return Party{*name, *hash};
}

Result<Allow> take_allow(const pb::Allow& in) {
  const auto prefix = take_prefix(in.prefix());
  if (!prefix) return prefix.error();
  const bool fits =
      in.protocol() <= 0xff && in.port_last() <= 0xffff && in.port_first() <= in.port_last();
  if (!fits) return Errc::bad_value;
  return Allow{*prefix, static_cast<std::uint8_t>(in.protocol()),
               static_cast<std::uint16_t>(in.port_first()),
               static_cast<std::uint16_t>(in.port_last())};
}

/// The lists of a grant: what is allowed, the customer's DNS servers, what is never reached.
Result<void> take_lists(Grant& grant, const pb::Grant& in) {
  const bool counts_fit = static_cast<std::size_t>(in.allow_size()) <= allow_rules_max &&
                          static_cast<std::size_t>(in.dns_size()) <= dns_servers_max &&
                          static_cast<std::size_t>(in.deny_size()) <= allow_rules_max;
  if (!counts_fit) return Errc::bad_value;
  for (const auto& entry : in.allow()) {
    const auto allow = take_allow(entry);
    if (!allow) return allow.error();
    grant.allow.push_back(*allow);
  }
  for (const auto server : in.dns())
    grant.dns.push_back({server});
  for (const auto address : in.deny())
    grant.deny.push_back({address});
  return {};
}

bool is_tunnel_network(const Ipv4Prefix& prefix) {
  const Ipv4Prefix pool{{tunnel_pool}, tunnel_pool_length};
  return prefix.length == tunnel_length && prefix == prefix.network() &&
         pool.contains(prefix.address);
}

/// What a routed session has, and a bridged one has not: a grant that says less than it seems to
/// say is none.
Result<void> take_routing(Grant& grant, const pb::Grant& in) {
  if (grant.mode == Mode::l2)
    return in.has_tunnel() || in.allow_size() + in.dns_size() + in.deny_size() > 0
               ? Result<void>{Errc::bad_value}
               : Result<void>{};
  const auto tunnel = take_prefix(in.tunnel());
  if (!tunnel || !is_tunnel_network(*tunnel)) return Errc::bad_value;
  grant.tunnel = *tunnel;
  return take_lists(grant, in);
}

}  // namespace

Bytes encode_grant(const Grant& grant) {
  pb::Grant out;
  out.set_version(grant.version);
  out.set_session(grant.session);
  out.set_epoch(grant.epoch);
  put(*out.mutable_master(), grant.master);
  put(*out.mutable_onsite(), grant.onsite);
  out.set_system(grant.system.str());
  out.set_mode(static_cast<std::uint32_t>(grant.mode));
  for (const auto& allow : grant.allow) {
    auto& entry = *out.add_allow();
    proto::put(*entry.mutable_prefix(), allow.prefix);
    entry.set_protocol(allow.protocol);
    entry.set_port_first(allow.port_first);
    entry.set_port_last(allow.port_last);
  }
  out.set_seconds(grant.seconds);
  out.set_features(grant.features);
  proto::put(*out.mutable_master_nonce(), grant.master_nonce);
  proto::put(*out.mutable_onsite_nonce(), grant.onsite_nonce);
  out.set_server_time(grant.server_time);
  if (grant.mode == Mode::l3) proto::put(*out.mutable_tunnel(), grant.tunnel);
  for (const auto server : grant.dns)
    out.add_dns(server.value);
  for (const auto address : grant.deny)
    out.add_deny(address.value);
  return to_bytes(out.SerializeAsString());
}

Result<Grant> decode_grant(ByteView bytes) {
  pb::Grant in;
  if (!parse(in, bytes)) return Errc::malformed;
  if (in.version() != grant_version) return Errc::unsupported_version;
  const auto master = take_party(in.master());
  if (!master) return master.error();
  const auto onsite = take_party(in.onsite());
  if (!onsite) return onsite.error();
  const auto system = Name::parse(in.system());
  if (!system) return system.error();
  const auto mode = take_mode(in.mode());
  const auto master_nonce = take_array<nonce_bytes>(in.master_nonce());
  const auto onsite_nonce = take_array<nonce_bytes>(in.onsite_nonce());
  if (!mode || !master_nonce || !onsite_nonce) return Errc::bad_value;
  if (in.session() == 0 || in.epoch() == 0 || in.seconds() == 0 ||
      in.seconds() > session_seconds_max)
    return Errc::bad_value;
  Grant grant{.version = in.version(),
              .session = in.session(),
              .epoch = in.epoch(),
              .master = *master,
              .onsite = *onsite,
              .system = *system,
              .mode = *mode,
              .allow = {},
              .seconds = in.seconds(),
              .features = in.features(),
              .master_nonce = *master_nonce,
              .onsite_nonce = *onsite_nonce,
              .server_time = in.server_time(),
              .tunnel = {},
              .dns = {},
              .deny = {}};
  if (const auto routing = take_routing(grant, in); !routing) return routing.error();
  return grant;
}

Result<void> check_grant(const Grant& grant, const GrantExpectation& expected) {
  const bool is_master = expected.role == Role::master;
  const auto& own = is_master ? grant.master : grant.onsite;
  const auto& peer = is_master ? grant.onsite : grant.master;
  if (grant.system != expected.system || own.name != expected.name ||
      own.key_hash != expected.key_hash)
    return Errc::wrong_party;
  if ((expected.peer && peer.name != *expected.peer) || peer.key_hash == own.key_hash)
    return Errc::wrong_party;
  if ((is_master ? grant.master_nonce : grant.onsite_nonce) != expected.nonce)
    return Errc::stale_nonce;
  if (expected.session != 0 && grant.session != expected.session) return Errc::stale_nonce;
  if (grant.mode != expected.mode) return Errc::bad_value;
  if (grant.mode == Mode::l2) return {};
  for (const auto& network : expected.own_networks)
    if (network.overlaps(grant.tunnel)) return Errc::bad_value;
  return {};
}

Result<void> check_resumed_grant(const Grant& grant, const Grant& before) {
  if (grant.session != before.session || grant.master != before.master ||
      grant.onsite != before.onsite)
    return Errc::wrong_party;
  if (grant.epoch <= before.epoch) return Errc::stale_nonce;
  if (grant.tunnel != before.tunnel || grant.mode != before.mode || grant.allow != before.allow)
    return Errc::bad_value;
  return {};
}

Ipv4Prefix tunnel_address(const Grant& grant, Role role) {
  if (grant.mode == Mode::l2) return {};
  return {{grant.tunnel.network().address.value + (role == Role::onsite ? 1U : 2U)},
          grant.tunnel.length};
}

}  // namespace tunnel::wire
