#pragma once
#include "base/bytes.hpp"
#include "core/flow_queue.hpp"
#include "core/keep_buffer.hpp"
#include "core/send_window.hpp"
#include "core/sent_buffer.hpp"
#include "crypto/openssl.hpp"
#include "io/record_batch.hpp"
#include "wire/frame.hpp"

#include <cstdint>

namespace tunnel::io {

/// What a pump counts; rx is what came from the other end.
struct PumpCounters {
  std::uint64_t rx_bytes = 0, tx_bytes = 0;      ///< of IP packets; in L2 of Ethernet frames
  std::uint64_t rx_packets = 0, tx_packets = 0;  ///< super-packets count once
  std::uint64_t dropped_malformed = 0;           ///< not a packet that the tunnel may carry
  std::uint64_t dropped_address = 0;             ///< with an address that is not the session's
  std::uint64_t dropped_kernel = 0;              ///< that our kernel did not take
  std::uint64_t dropped_tx = 0;     ///< that our kernel gave and the tunnel does not carry
  std::uint64_t dropped_queue = 0;  ///< because the way was slower than what came (CoDel, memory)
  std::uint64_t marked = 0;         ///< the same, told by ECN instead
};

/// The way out: from the TUN through per-flow queues and the window into TLS records (DESIGN 5). No
/// coroutine and no wait of its own: the pump calls run() when something has changed. While the way
/// is free, packets go straight from the TUN into full records; once it is not, they are taken into
/// the queues, so that the kernel's one queue never stands between a keystroke and the wire.
class PacketSender {
 public:
  struct Options {
    wire::Mode mode = wire::Mode::l3;
    std::uint32_t peer_offloads = 0;  ///< TUN_F_*: what the other end's kernel takes
    std::uint64_t key_update_records = wire::key_update_records;
    std::uint32_t flow_seed = 0;  ///< random
  };
  /// What run() waits for.
  enum class Turn : std::uint8_t {
    idle,      ///< a packet, or the other end's acknowledgement
    more,      ///< nothing: others shall have their turn first
    blocked,   ///< the socket takes no more
    tls,       ///< nothing comes any more; ask SSL_get_error() with ssl_result()
    cut,       ///< nothing comes any more: the socket failed with socket_error()
    tun_gone,  ///< the session cannot go on
    finished,  ///< all is sent, and finish() was called
  };

  /// @param ssl  established, on a non-blocking socket  @param tun  non-blocking; both must outlive
  /// the sender
  PacketSender(SSL* ssl, int tun, PumpCounters& counters, Options options);

  /// A frame of our own; it goes before all packets. Dropped when too many wait.
  void queue(wire::FrameType type, ByteView payload);
  /// A packet that was kept for this leg; it goes before those in the TUN.
  void put_back(ByteView packet);
  /// Hands over the packets that are not acknowledged and those that wait, oldest first. Nothing
  /// can be sent afterwards.
  /// @param epoch  of the leg they went over
  void leave_to(core::KeepBuffer& keep, std::uint32_t epoch, Clock::time_point now);
  /// This frame is the last one.
  void finish(ByteView frame);
  /// @return false: the other end acknowledges what it cannot have got
  [[nodiscard]] bool on_ack(const wire::Ack& ack, Clock::time_point now);
  void keep_busy() { window_.keep_busy(); }
  void request_key_update() { key_update_due_ = true; }
  /// @return true once after each key update that went out
  bool take_key_updated() { return std::exchange(key_updated_, false); }

  Turn run(Clock::time_point now);
  int ssl_result() const { return ssl_result_; }
  boost::system::error_code socket_error() const { return socket_error_; }
  /// What TLS still has to say, an alert mostly, as far as the socket takes it at once.
  void send_rest() { (void)batch_.send(); }
  const core::SendWindow& window() const { return window_; }

 private:
  enum class Read : std::uint8_t { packet, none, skipped, gone };

  void fill(Clock::time_point now);
  void fill_packets(std::size_t allowance, Clock::time_point now);
  Read read_tun(std::span<std::byte> payload, std::size_t& bytes);
  /// @param first_byte  behind the virtio_net_hdr
  Read judge_read(ssize_t got, std::byte first_byte);
  bool is_carried(std::size_t bytes, std::byte first_byte) const;
  /// Takes what waits in the kernel into the queues, as far as one turn goes.
  void absorb(Clock::time_point now);
  void put_packet(std::size_t bytes);
  Turn flush();
  Turn finish_tls();
  void update_key_if_due();
  void fit_offloads(Clock::time_point now);

  SSL* ssl_;
  int tun_;
  PumpCounters& counters_;
  Options options_;
  core::SendWindow window_;
  core::FlowQueue queue_;
  core::SentBuffer sent_;
  std::span<std::byte> tx_;  ///< the batch that is built or sent, in sent_
  std::size_t tx_begin_ = 0, tx_end_ = 0;
  Bytes outbox_;
  std::uint64_t outbox_packet_bytes_ = 0;
  std::uint64_t records_ = 0;  ///< since the last key update
  RecordBatch batch_;
  int ssl_result_ = 1;
  boost::system::error_code socket_error_;
  bool key_update_due_ = false, key_updated_ = false;
  bool finishing_ = false;
  bool tun_gone_ = false;
  bool super_packets_ = true;
  Clock::time_point offloads_fitted_{};
};

}  // namespace tunnel::io
