#include "base/endian.hpp"
#include "wire/messages.hpp"
#include "wire/proto_fields.hpp"

namespace tunnel::wire {

using namespace proto;

Result<Attach> decode_attach(ByteView payload) {
  pb::Attach in;
  if (!parse(in, payload)) return Errc::malformed;
  if (in.session() == 0 || in.epoch() == 0) return Errc::bad_value;
  return Attach{in.session(), in.epoch()};
}

Bytes encode(const Attach& attach) {
  pb::Attach out;
  out.set_session(attach.session);
  out.set_epoch(attach.epoch);
  return frame_of(FrameType::attach, out);
}

Result<Confirm> decode_confirm(ByteView payload) {
  pb::Confirm in;
  if (!parse(in, payload)) return Errc::malformed;
  const auto grant_hash = take_array<hash_bytes>(in.grant_hash());
  const auto mac = take_array<hash_bytes>(in.mac());
  const auto role = take_role(in.role());
  if (!grant_hash || !mac || !role) return Errc::bad_value;
  if (in.mtu() < 576 || in.mtu() > packet_bytes_max) return Errc::bad_value;
  return Confirm{.grant_hash = *grant_hash,
                 .role = *role,
                 .mtu_bytes = in.mtu(),
                 .alive_after_ms = in.alive_after_ms(),
                 .give_up_after_ms = in.give_up_after_ms(),
                 .offloads = in.offloads(),
                 .mac = *mac,
                 .previous_epoch = in.previous_epoch(),
                 .previous_received_bytes = in.previous_received()};
}

Bytes encode(const Confirm& confirm) {
  pb::Confirm out;
  put(*out.mutable_grant_hash(), confirm.grant_hash);
  out.set_role(static_cast<std::uint32_t>(confirm.role));
  out.set_mtu(confirm.mtu_bytes);
  out.set_alive_after_ms(confirm.alive_after_ms);
  out.set_give_up_after_ms(confirm.give_up_after_ms);
  out.set_offloads(confirm.offloads);
  put(*out.mutable_mac(), confirm.mac);
  out.set_previous_epoch(confirm.previous_epoch);
  out.set_previous_received(confirm.previous_received_bytes);
  return frame_of(FrameType::confirm, out);
}

Bytes confirm_signed_bytes(const Confirm& confirm) {
  Bytes bytes{confirm.grant_hash.begin(), confirm.grant_hash.end()};
  const std::array fields{static_cast<std::uint32_t>(confirm.role), confirm.mtu_bytes,
                          confirm.alive_after_ms, confirm.give_up_after_ms, confirm.offloads};
  for (const auto field : fields) {
    std::array<std::byte, 4> word{};
    store_big_endian<std::uint32_t>(word, field);
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  return bytes;
}

}  // namespace tunnel::wire
