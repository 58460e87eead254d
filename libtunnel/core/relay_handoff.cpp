#include "core/relay_handoff.hpp"

#include <boost/assert.hpp>

namespace tunnel::core {

using wire::Errc;
using wire::FrameType;

error_code RelayHandoff::on_attached(Side side, wire::FrameReader reader,
                                     std::size_t tls_pending_bytes) {
  BOOST_ASSERT(half(side).state == State::absent);
  if (error_) return error_;
  half(side).state = State::handshaking;
  half(side).reader = std::move(reader);
  return error_ = take_frames(half(side), tls_pending_bytes);
}

error_code RelayHandoff::on_received(Side from, ByteView bytes, std::size_t tls_pending_bytes) {
  if (error_) return error_;
  BOOST_ASSERT(half(from).state == State::handshaking);
  half(from).reader.feed(bytes);
  return error_ = take_frames(half(from), tls_pending_bytes);
}

error_code RelayHandoff::take_frames(Half& half, std::size_t tls_pending_bytes) {
  for (;;) {
    const auto frame = half.reader.next();
    if (!frame) return frame.error();
    if (!*frame) return {};
    switch ((*frame)->type) {
      case FrameType::inner:
        if (const auto ec = forward(half, (*frame)->payload)) return ec;
        break;
      case FrameType::switch_: {
        if (half.reader.buffered_bytes() > 0 || tls_pending_bytes > 0) return Errc::behind_switch;
        half.state = State::switched;
        const auto last = wire::encode_frame(FrameType::switch_, {});
        half.queue.insert(half.queue.end(), last.begin(), last.end());
        return {};
      }
      default: return Errc::unexpected;
    }
  }
}

error_code RelayHandoff::forward(Half& half, ByteView inner_bytes) {
  half.forwarded_bytes += wire::header_bytes + inner_bytes.size();
  if (half.forwarded_bytes > wire::inner_handshake_bytes_max) return Errc::too_long;
  const auto frame = wire::encode_frame(FrameType::inner, inner_bytes);
  half.queue.insert(half.queue.end(), frame.begin(), frame.end());
  return {};
}

ByteView RelayHandoff::output(Side to) const {
  const auto& from = half(other(to));
  return ByteView{from.queue}.subspan(from.written);
}

void RelayHandoff::on_written(Side to, std::size_t bytes) {
  auto& from = half(other(to));
  BOOST_ASSERT(bytes <= from.queue.size() - from.written);
  from.written += bytes;
  if (from.written < from.queue.size()) return;
  Bytes{}.swap(from.queue);
  from.written = 0;
}

}  // namespace tunnel::core
