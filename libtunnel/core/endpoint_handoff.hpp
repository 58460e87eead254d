#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tunnel::core {

using boost::system::error_code;

/// One end's way from the outer TLS of its data leg to the raw inner session (DESIGN 4, steps 2 to
/// 5). Pure: it is told what was read and what the inner TLS did, and answers what may happen next.
/// The two directions go their own way:
///
///   tx:  handshaking --inner handshake done--> (Confirm, Switch) --> switched
///   rx:  handshaking --inner handshake done--> confirming --Confirm--> confirmed --Switch-->
///   switched
///
/// What it promises: no frame but Confirm (or bye) is taken from the inner session before a Confirm
/// that fits; nothing of the outer TLS is taken behind Switch, and nothing of the inner session is
/// lost at the seam; after an error every further event answers that error.
class EndpointHandoff {
 public:
  enum class Rx : std::uint8_t { handshaking, confirming, confirmed, switched };

  /// What the peer's Confirm must say.
  struct Expected {
    wire::Hash grant_hash{};
    wire::Role peer_role = wire::Role::onsite;
  };

  /// What to do with a frame of the outer TLS.
  enum class OuterAction : std::uint8_t {
    feed_inner,  ///< give the payload to the inner TLS
    switched,    ///< from the next byte on the socket carries raw inner records
    detached,    ///< the server ends the leg; the payload is a Close
  };

  /// What to do with a frame of the inner session.
  enum class InnerAction : std::uint8_t {
    confirmed,  ///< the other end is who it should be
    bye,        ///< the other end refuses; the payload is a Close
  };

  explicit EndpointHandoff(Expected expected) : expected_{expected} {}

  /// A frame of the outer TLS was read.
  ///
  /// @param behind_bytes  what is buffered behind it already: decrypted (SSL_pending) or in the
  /// frame reader
  /// @retval Errc::unexpected     a frame that the server must not send here
  /// @retval Errc::behind_switch  something of the outer TLS behind Switch
  /// @retval Errc::too_long       more handshake than any of ours
  Result<OuterAction> on_outer_frame(wire::FrameType type, std::size_t payload_bytes,
                                     std::size_t behind_bytes);

  /// The inner handshake is done at this end: send Confirm inside it, then Switch as the last outer
  /// record.
  error_code on_inner_handshake_done();

  /// A Confirm frame came out of the inner session.
  ///
  /// @param mac_fits  its MAC is the one of this TLS session's exporter key
  /// @retval Errc::unexpected   not before its time, or a second one
  /// @retval Errc::wrong_party  another grant, role or TLS session: somebody crossed two legs
  error_code on_confirm(const wire::Confirm& confirm, bool mac_fits);

  /// Any other frame came out of the inner session before Switch.
  /// @retval Errc::unexpected  all but bye
  Result<InnerAction> on_inner_frame(wire::FrameType type);

  /// Called after OuterAction::switched, when the inner TLS has taken all it can of what was fed.
  ///
  /// @param unread_bytes  inner bytes that were fed but are not a whole record: the seam is inside
  /// a record
  /// @retval Errc::truncated   the peer switched inside a record
  /// @retval Errc::unexpected  it switched without a Confirm that fits
  error_code on_seam(std::size_t unread_bytes);

  Rx rx() const { return rx_; }
  bool tx_switched() const { return tx_switched_; }
  /// Both directions are raw, and packets may flow.
  bool is_done() const { return !error_ && tx_switched_ && rx_ == Rx::switched; }
  const std::optional<wire::Confirm>& peer() const { return peer_; }

 private:
  error_code fail(wire::Errc why) { return error_ = why; }

  Expected expected_;
  Rx rx_ = Rx::handshaking;
  bool tx_switched_ = false;
  bool switch_seen_ = false;
  std::size_t inner_bytes_ = 0;
  std::optional<wire::Confirm> peer_;
  error_code error_;
};

}  // namespace tunnel::core
