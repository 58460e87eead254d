#include "core/endpoint_handoff.hpp"

namespace tunnel::core {

using wire::Errc;
using wire::FrameType;

Result<EndpointHandoff::OuterAction> EndpointHandoff::on_outer_frame(FrameType type,
                                                                     std::size_t payload_bytes,
                                                                     std::size_t behind_bytes) {
  if (error_) return error_;
  if (switch_seen_) return fail(Errc::behind_switch);
  switch (type) {
    case FrameType::inner:
      inner_bytes_ += payload_bytes;
      if (inner_bytes_ > wire::inner_handshake_bytes_max) return fail(Errc::too_long);
      return OuterAction::feed_inner;
    case FrameType::switch_:
      if (behind_bytes > 0) return fail(Errc::behind_switch);
      switch_seen_ = true;
      return OuterAction::switched;
    case FrameType::detach: return OuterAction::detached;
    default: return fail(Errc::unexpected);
  }
}

error_code EndpointHandoff::on_inner_handshake_done() {
  if (error_) return error_;
  if (rx_ != Rx::handshaking) return fail(Errc::unexpected);
  rx_ = Rx::confirming;
  tx_switched_ = true;
  return {};
}

error_code EndpointHandoff::on_confirm(const wire::Confirm& confirm, bool mac_fits) {
  if (error_) return error_;
  if (rx_ != Rx::confirming) return fail(Errc::unexpected);
  const bool fits =
      mac_fits && confirm.grant_hash == expected_.grant_hash && confirm.role == expected_.peer_role;
  if (!fits) return fail(Errc::wrong_party);
  rx_ = Rx::confirmed;
  peer_ = confirm;
  return {};
}

Result<EndpointHandoff::InnerAction> EndpointHandoff::on_inner_frame(FrameType type) {
  if (error_) return error_;
  if (type == FrameType::bye && rx_ != Rx::handshaking) return InnerAction::bye;
  return fail(Errc::unexpected);
}

error_code EndpointHandoff::on_seam(std::size_t unread_bytes) {
  if (error_) return error_;
  if (!switch_seen_ || rx_ != Rx::confirmed) return fail(Errc::unexpected);
  if (unread_bytes > 0) return fail(Errc::truncated);
  rx_ = Rx::switched;
  return {};
}

}  // namespace tunnel::core
