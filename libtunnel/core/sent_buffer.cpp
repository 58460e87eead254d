#include "core/sent_buffer.hpp"

#include <boost/assert.hpp>

#include <utility>

namespace tunnel::core {

SentBuffer::SentBuffer(std::size_t batch_bytes_max)
    : batch_bytes_max_{batch_bytes_max},
      size_bytes_{kept_bytes_min + 2 * batch_bytes_max},
      memory_{std::make_unique_for_overwrite<std::byte[]>(size_bytes_)} {}

std::span<std::byte> SentBuffer::next_batch() {
  // To forget what is in the way may end at the upper frames' end, behind which there is no room
  // either: look again then.
  do {
    if (!wrapped_) start_again_if_due();
    while (wrapped_ && tail_ - head_ < batch_bytes_max_)
      forget(frame_at(tail_));
  } while (!wrapped_ && size_bytes_ - head_ < batch_bytes_max_);
  return std::span{&memory_[head_], batch_bytes_max_};
}

/// At the start of the memory: when the end is near, or when there is plenty of room.
void SentBuffer::start_again_if_due() {
  const bool is_far_behind = tail_ >= head_ - tail_ + 2 * batch_bytes_max_;
  if (!is_far_behind && size_bytes_ - head_ >= batch_bytes_max_) return;
  while (!empty() && tail_ < batch_bytes_max_)
    forget(frame_at(tail_));
  if (empty()) return;
  upper_end_ = std::exchange(head_, 0);
  wrapped_ = true;
}

void SentBuffer::on_ack(std::uint64_t received_bytes) {
  while (!empty()) {
    const auto oldest = frame_at(tail_);
    if (oldest.is_packet && forgotten_bytes_ + oldest.bytes > received_bytes) return;
    forget(oldest);
  }
}

SentBuffer::Frame SentBuffer::frame_at(std::size_t at) const {
  const auto header = wire::decode_header(
      wire::Channel::end_to_end,
      std::span<const std::byte, wire::header_bytes>{&memory_[at], wire::header_bytes});
  BOOST_ASSERT(header);  // it is our own
  return {.is_packet = header->type == wire::FrameType::packet,
          .bytes = wire::header_bytes + header->payload_bytes};
}

void SentBuffer::forget(const Frame& oldest) {
  if (oldest.is_packet) forgotten_bytes_ += oldest.bytes;
  tail_ += oldest.bytes;
  if (wrapped_ && tail_ == upper_end_) {
    tail_ = 0;
    wrapped_ = false;
  }
  if (empty()) tail_ = head_ = 0;
}

}  // namespace tunnel::core
