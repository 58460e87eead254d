#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"
#include "wire/names.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tunnel::core {

using boost::system::error_code;

/// The relay's side of the hand-off between the two legs of one session (DESIGN 4, steps 2 to 6).
/// Pure: it is given what was read from each leg and says what to write to the other, and when a
/// direction is no longer TLS of ours.
///
/// Each leg, as we read it:
///
///   absent --on_attached--> handshaking --Switch--> switched      (never SSL_read on that leg
///   again)
///                             |  ^
///                             '--' `inner` frames, queued for the other leg
///
/// A direction is *raw* when its leg has switched and the whole queue, with Switch at its end, is
/// in the kernel: from then on bytes are moved from socket to socket. The two directions know
/// nothing of each other.
///
/// Invariants: output(to) never holds more than `queue_bytes_max`; nothing is queued behind Switch;
/// after an error every further event answers that error.
class RelayHandoff {
 public:
  using Side = wire::Role;
  enum class State : std::uint8_t { absent, handshaking, switched };

  /// Frames of the inner handshake in one direction, headers included, and the Switch behind them.
  static constexpr std::size_t queue_bytes_max =
      wire::inner_handshake_bytes_max + wire::header_bytes;

  /// A leg is there: its Attach was taken from `reader`, which may hold frames that came right
  /// behind it.
  ///
  /// @param tls_pending_bytes  decrypted bytes that TLS still holds (SSL_pending)
  /// @retval as on_received()
  error_code on_attached(Side side, wire::FrameReader reader, std::size_t tls_pending_bytes);

  /// Bytes of the outer TLS of `from` were read; only while reads_frames(from).
  ///
  /// @param tls_pending_bytes  what TLS still holds behind them (SSL_pending)
  /// @retval Errc::unknown_type, Errc::too_long  not frames, or a longer inner handshake than any
  /// of ours; end the session
  /// @retval Errc::unexpected                    a frame that a device must not send here; end the
  /// session
  /// @retval Errc::behind_switch                 bytes of the outer TLS behind Switch; end the
  /// session
  error_code on_received(Side from, ByteView bytes, std::size_t tls_pending_bytes);

  /// What to write to the outer TLS of `to` now; it may be absent still. Valid until the next
  /// event.
  ByteView output(Side to) const;
  /// The first `bytes` of output(to) are in the kernel.
  void on_written(Side to, std::size_t bytes);

  State state(Side side) const { return half(side).state; }
  /// True while that leg is to be read through TLS.
  bool reads_frames(Side from) const { return half(from).state == State::handshaking && !error_; }
  /// True when the direction that begins at `from` has left the outer TLS at both of its ends.
  bool is_raw(Side from) const {
    return half(from).state == State::switched && half(from).queue.empty() && !error_;
  }
  /// True while frames may still be written to the outer TLS of `to`: Switch is not on its way yet.
  bool takes_frames(Side to) const { return half(other(to)).state != State::switched; }

  static constexpr Side other(Side side) {
    return side == Side::master ? Side::onsite : Side::master;
  }

 private:
  /// The direction that begins at one leg.
  struct Half {
    State state = State::absent;
    wire::FrameReader reader{wire::Channel::data};
    std::size_t forwarded_bytes = 0;  ///< in all, headers included
    Bytes queue;                      ///< frames for the other leg
    std::size_t written = 0;          ///< of `queue`
  };

  static constexpr std::size_t index(Side side) { return side == Side::master ? 0 : 1; }
  Half& half(Side side) { return halves_[index(side)]; }
  const Half& half(Side side) const { return halves_[index(side)]; }
  error_code take_frames(Half& half, std::size_t tls_pending_bytes);
  error_code forward(Half& half, ByteView inner_bytes);

  std::array<Half, 2> halves_;
  error_code error_;
};

}  // namespace tunnel::core
