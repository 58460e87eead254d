#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/errc.hpp"
#include "wire/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tunnel::wire {

/// What a frame is. One number space for all four connections; which of them may carry which is
/// said by `Channel`. A type we do not know is ignored when it has bit 0x80, and closes the
/// connection otherwise.
enum class FrameType : std::uint8_t {
  // rdv-control/1
  hello = 0x01,
  welcome = 0x02,
  ping = 0x03,
  pong = 0x04,
  info = 0x05,
  list = 0x06,
  listing = 0x07,
  open = 0x08,
  waiting = 0x09,
  refused = 0x0a,
  offer = 0x0b,
  accept = 0x0c,
  decline = 0x0d,
  granted = 0x0e,
  close = 0x0f,
  goodbye = 0x10,
  renew = 0x11,
  renewed = 0x12,
  cancel = 0x13,
  interrupted = 0x14,
  resume = 0x15,
  // rdv-enroll/1
  enroll = 0x20,
  enrolled = 0x21,
  enroll_refused = 0x22,
  // rdv-data/1, the outer TLS of a data leg
  attach = 0x30,
  inner = 0x31,    ///< bytes of the inner TLS, raw
  switch_ = 0x32,  ///< last outer record of its direction; empty
  detach = 0x33,   ///< the server refuses or ends the leg before its switch; carries a Close
  // rdv-e2e/1, inside the inner TLS
  confirm = 0x40,
  packet = 0x41,  ///< virtio_net_hdr (10 bytes, little-endian) and one IP packet or Ethernet frame
  alive = 0x42,   ///< 8-byte token; answered by alive_answer with the same token
  alive_answer = 0x43,
  bye = 0x44,  ///< carries a Close; nothing follows
  ack = 0x45,  ///< how many bytes of `packet` frames came (wire/ack.hpp)
};

/// The connection a frame came on: it decides which types are known and how long they may be.
enum class Channel : std::uint8_t { control, enroll, data, end_to_end };

struct FrameHeader {
  FrameType type;
  std::uint32_t payload_bytes;
  bool optional_unknown = false;  ///< skip the payload
};

/// Decodes the header at the start of one frame: type (1), payload length (3, big endian).
///
/// @param in  exactly `header_bytes` bytes, as received
/// @return    the header; `payload_bytes` is within what the type allows on this channel
/// @retval Errc::unknown_type  not a type of this channel; close the connection
/// @retval Errc::too_long      nothing after this can be trusted; close the connection
Result<FrameHeader> decode_header(Channel channel, std::span<const std::byte, header_bytes> in);

void encode_header(std::span<std::byte, header_bytes> out, FrameType type,
                   std::size_t payload_bytes);

/// One whole frame. `payload` must not be longer than its type allows.
Bytes encode_frame(FrameType type, ByteView payload);

/// Cuts a byte stream into frames, whatever the chunks it comes in. Holds at most one incomplete
/// frame.
class FrameReader {
 public:
  struct Frame {
    FrameType type;
    ByteView payload;  ///< valid until the next call of feed() or next()
  };

  explicit FrameReader(Channel channel) : channel_{channel} {}

  /// Takes in what was received. Call next() until it gives nothing before feeding more.
  void feed(ByteView in);
  /// The next whole frame, or nothing until more is fed; unknown optional frames are skipped.
  /// @retval Errc::unknown_type, Errc::too_long  close the connection; the reader stays in error
  Result<std::optional<Frame>> next();
  /// Bytes received behind the frames given out so far.
  std::size_t buffered_bytes() const { return buffer_.size() - start_; }
  /// How many more bytes the frame in progress needs at least: what to read at most when nothing
  /// behind it may be taken.
  std::size_t wanted_bytes() const;

 private:
  Channel channel_;
  Bytes buffer_;
  std::size_t start_ = 0;
};

}  // namespace tunnel::wire
