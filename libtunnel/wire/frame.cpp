#include "wire/frame.hpp"

#include "base/endian.hpp"

#include <boost/assert.hpp>

namespace tunnel::wire {
namespace {

struct Rule {
  Channel channel;
  std::size_t payload_bytes_max;
};

/// Where a type may come and how long it may be; nothing for a number that is no type.
std::optional<Rule> rule_of(FrameType type) {
  switch (type) {  // no default: -Wswitch names the type somebody forgot
    case FrameType::hello:
    case FrameType::welcome:
    case FrameType::ping:
    case FrameType::pong:
    case FrameType::info:
    case FrameType::list:
    case FrameType::listing:
    case FrameType::open:
    case FrameType::waiting:
    case FrameType::refused:
    case FrameType::offer:
    case FrameType::accept:
    case FrameType::decline:
    case FrameType::granted:
    case FrameType::close:
    case FrameType::goodbye:
    case FrameType::renew:
    case FrameType::renewed:
    case FrameType::cancel:
    case FrameType::interrupted:
    case FrameType::resume: return Rule{Channel::control, control_payload_bytes_max};
    case FrameType::enroll:
    case FrameType::enrolled:
    case FrameType::enroll_refused: return Rule{Channel::enroll, control_payload_bytes_max};
    case FrameType::attach: return Rule{Channel::data, 64};
    case FrameType::inner: return Rule{Channel::data, inner_payload_bytes_max};
    case FrameType::switch_: return Rule{Channel::data, 0};
    case FrameType::detach: return Rule{Channel::data, 1024};
    case FrameType::confirm: return Rule{Channel::end_to_end, 1024};
    case FrameType::packet: return Rule{Channel::end_to_end, packet_payload_bytes_max};
    case FrameType::alive:
    case FrameType::alive_answer: return Rule{Channel::end_to_end, 64};
    case FrameType::bye: return Rule{Channel::end_to_end, 1024};
    case FrameType::ack: return Rule{Channel::end_to_end, 64};
  }
  return std::nullopt;
}

/// Optional frames of a later version that we skip may be this long.
constexpr std::size_t unknown_payload_bytes_max = control_payload_bytes_max;
constexpr std::uint8_t optional_bit = 0x80;

}  // namespace

Result<FrameHeader> decode_header(Channel channel, std::span<const std::byte, header_bytes> in) {
  const auto type = static_cast<FrameType>(in[0]);
  const auto length = load_big_endian24(in.subspan<1, 3>());
  const auto rule = rule_of(type);
  if (!rule && (static_cast<std::uint8_t>(type) & optional_bit) != 0) {
    if (length > unknown_payload_bytes_max) return Errc::too_long;
    return FrameHeader{.type = type, .payload_bytes = length, .optional_unknown = true};
  }
  if (!rule || rule->channel != channel) return Errc::unknown_type;
  if (length > rule->payload_bytes_max) return Errc::too_long;
  return FrameHeader{.type = type, .payload_bytes = length};
}

void encode_header(std::span<std::byte, header_bytes> out, FrameType type,
                   std::size_t payload_bytes) {
  out[0] = static_cast<std::byte>(type);
  store_big_endian24(out.subspan<1, 3>(), static_cast<std::uint32_t>(payload_bytes));
}

Bytes encode_frame(FrameType type, ByteView payload) {
  BOOST_ASSERT(rule_of(type) && payload.size() <= rule_of(type)->payload_bytes_max);
  Bytes frame(header_bytes + payload.size());
  encode_header(std::span{frame}.first<header_bytes>(), type, payload.size());
  std::copy(payload.begin(), payload.end(), frame.begin() + header_bytes);
  return frame;
}

void FrameReader::feed(ByteView in) {
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  } else if (start_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
    start_ = 0;
  }
  buffer_.insert(buffer_.end(), in.begin(), in.end());
}

Result<std::optional<FrameReader::Frame>> FrameReader::next() {
  for (;;) {
    const ByteView rest{buffer_.data() + start_, buffer_.size() - start_};
    if (rest.size() < header_bytes) break;
    const auto header = decode_header(channel_, rest.first<header_bytes>());
    if (!header) return header.error();
    if (rest.size() < header_bytes + header->payload_bytes) return std::optional<Frame>{};
    start_ += header_bytes + header->payload_bytes;
    if (header->optional_unknown) continue;
    return std::optional{Frame{header->type, rest.subspan(header_bytes, header->payload_bytes)}};
  }
  if (start_ == buffer_.size()) {  // an idle connection holds no memory
    Bytes{}.swap(buffer_);
    start_ = 0;
  }
  return std::optional<Frame>{};
}

std::size_t FrameReader::wanted_bytes() const {
  const ByteView rest{buffer_.data() + start_, buffer_.size() - start_};
  if (rest.size() < header_bytes) return header_bytes - rest.size();
  const auto header = decode_header(channel_, rest.first<header_bytes>());
  if (!header) return 0;
  const auto whole = header_bytes + header->payload_bytes;
  return whole > rest.size() ? whole - rest.size() : 0;
}

}  // namespace tunnel::wire
