#pragma once
#include "base/bytes.hpp"
#include "wire/frame.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace tunnel::core {

/// Where batches of frames are built that go to the other end. They stay there until they are
/// acknowledged: when the leg breaks, what may not have arrived is at hand, and nothing was copied
/// for that. Pure.
///
/// A ring; a batch does not wrap. With little under way the next batch is soon built at the start
/// again, so that little memory is touched. With too much, the oldest is forgotten: the hosts send
/// it again, as they would without us.
///
///     wrapped:  |frames...  head|  free  |tail  frames...  upper_end|  unused  |
class SentBuffer {
 public:
  /// Of frames that are kept for sure; what is on its way at 20 Mbit/s and 100 ms. With FlowQueue's
  /// pool that makes less than 2 MiB for a session.
  static constexpr std::size_t kept_bytes_min = 256U << 10U;

  /// @param batch_bytes_max  of one batch
  explicit SentBuffer(std::size_t batch_bytes_max);

  /// Where to build the next batch: `batch_bytes_max` bytes, valid until the next call of this.
  std::span<std::byte> next_batch();
  /// The first `bytes` of it are whole frames (end-to-end) that are going to be sent: keep them.
  void keep_batch(std::size_t bytes) { head_ += bytes; }
  /// So many bytes of `packet` frames, headers included, have arrived in all (wire::Ack).
  void on_ack(std::uint64_t received_bytes);

  /// Calls visit(payload, end) for each `packet` frame that is not acknowledged, oldest first;
  /// `end` is what on_ack() would get if it were the last that arrived.
  template <typename Visit>
  void for_each_unacknowledged(Visit visit) const {
    auto end = forgotten_bytes_;
    visit_range(tail_, wrapped_ ? upper_end_ : head_, end, visit);
    if (wrapped_) visit_range(0, head_, end, visit);
  }

 private:
  struct Frame {
    bool is_packet;
    std::size_t bytes;  ///< with its header
  };

  template <typename Visit>
  void visit_range(std::size_t at, std::size_t until, std::uint64_t& end, Visit& visit) const {
    for (; at < until; at += frame_at(at).bytes) {
      const auto frame = frame_at(at);
      if (!frame.is_packet) continue;
      end += frame.bytes;
      visit(ByteView{&memory_[at + wire::header_bytes], frame.bytes - wire::header_bytes}, end);
    }
  }
  bool empty() const { return !wrapped_ && tail_ == head_; }
  void start_again_if_due();
  Frame frame_at(std::size_t at) const;
  void forget(const Frame& oldest);

  std::size_t batch_bytes_max_, size_bytes_;
  std::unique_ptr<std::byte[]> memory_;  ///< not touched before it is needed
  std::size_t tail_ = 0, head_ = 0;      ///< the oldest frame; behind the newest
  std::size_t upper_end_ = 0;            ///< of the frames behind the tail, when wrapped
  bool wrapped_ = false;                 ///< the newest frames are in front of the tail
  std::uint64_t forgotten_bytes_ = 0;    ///< of `packet` frames that are no longer kept
};

}  // namespace tunnel::core
