#include "io/packet_sender.hpp"

#include "io/tun_offloads.hpp"
#include "io/tun_read.hpp"

#include <linux/if_tun.h>
#include <openssl/err.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <unistd.h>

namespace tunnel::io {

using wire::FrameType;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t record_bytes_max = 16 * 1024;  ///< of a full one (RFC 8446, 5.1)
constexpr std::size_t frame_bytes_max = wire::header_bytes + wire::packet_payload_bytes_max;
/// One full packet of the customer's network, as a frame.
constexpr std::size_t record_bytes_min =
    wire::header_bytes + wire::vnet_header_bytes + wire::ethernet_header_bytes + 1500;
constexpr double record_time = 0.002;  ///< seconds that a record may take on the way
/// Packets are gathered up to here before they are encrypted (SPIKE.md: 64 KiB to 256 KiB make no
/// difference).
constexpr std::size_t batch_bytes = 128 * 1024;
constexpr int batches_per_turn = 4;
/// Taken from the kernel into the queues before others have their turn.
constexpr std::size_t absorb_bytes_max = 512 * 1024;
constexpr int absorb_packets_max = 256;
/// Our own frames that wait to be sent: echo requests, alive, acknowledgements. More are dropped.
constexpr std::size_t outbox_bytes_max = 4096;
/// What flows that had nothing in the queue may send beyond the window: a keystroke does not wait
/// for an acknowledgement.
constexpr std::size_t overdraft_bytes = 2048;
constexpr unsigned ipv4_version = 4;
/// A super-packet of 64 KiB holds up a slow line for long: 6.5 ms at the upper bound. Below the
/// lower one the kernel hands us single packets. Bytes per second.
constexpr double super_packets_from = 80e6 / 8;
constexpr double super_packets_until = 40e6 / 8;
constexpr auto offloads_every = 50ms;

/// CoDel's target and interval for a way of this length and rate (bytes per second; 0: not known):
/// a flow needs half its round trip, and a few packets, as a queue to fill the way (RFC
/// 8289, 4.2 to 4.4), and its queue is nobody else's.
core::Codel::Settings codel_for(Clock::duration round_trip, double rate) {
  constexpr double few_packets_bytes = 4 * 1514;
  const auto few_packets = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>{rate > 0 ? std::min(0.1, few_packets_bytes / rate) : 0});
  return {.target = std::max<Clock::duration>({15ms, round_trip / 2, few_packets}),
          .interval = std::max<Clock::duration>(100ms, 2 * round_trip)};
}

/// Plaintext of a TLS record: nothing of it can be read before all of it has come, so on a slow way
/// each packet has its own.
/// @param rate  bytes per second; 0: not known
std::size_t record_bytes_for(double rate) {
  return static_cast<std::size_t>(std::clamp(rate * record_time,
                                             static_cast<double>(record_bytes_min),
                                             static_cast<double>(record_bytes_max)));
}

}  // namespace

PacketSender::PacketSender(SSL* ssl, int tun, PumpCounters& counters, Options options)
    : ssl_{ssl},
      tun_{tun},
      counters_{counters},
      options_{options},
      queue_{options.flow_seed, options.mode},
      sent_{batch_bytes + frame_bytes_max + outbox_bytes_max},
      batch_{ssl} {
  // Every batch fits, with what TLS adds to it and an alert.
  static_assert(RecordBatch::bytes_max > batch_bytes + frame_bytes_max + outbox_bytes_max + 4096);
  outbox_.reserve(outbox_bytes_max + 1024);
}

void PacketSender::queue(FrameType type, ByteView payload) {
  if (finishing_ || outbox_.size() + wire::header_bytes + payload.size() > outbox_bytes_max) return;
  std::array<std::byte, wire::header_bytes> header;
  wire::encode_header(header, type, payload.size());
  outbox_.insert(outbox_.end(), header.begin(), header.end());
  outbox_.insert(outbox_.end(), payload.begin(), payload.end());
  if (type == FrameType::packet) outbox_packet_bytes_ += header.size() + payload.size();
}

void PacketSender::finish(ByteView frame) {
  finishing_ = true;
  outbox_.insert(outbox_.end(), frame.begin(), frame.end());
}

bool PacketSender::on_ack(const wire::Ack& ack, Clock::time_point now) {
  if (!window_.on_ack(ack, now)) return false;
  sent_.on_ack(ack.received_bytes);
  fit_offloads(now);
  return true;
}

void PacketSender::fit_offloads(Clock::time_point now) {
  if (now - offloads_fitted_ < offloads_every) return;
  offloads_fitted_ = now;
  queue_.set_codel(codel_for(window_.base_round_trip(), window_.rate()));
  const bool wanted = window_.rate() > (super_packets_ ? super_packets_until : super_packets_from);
  if (wanted == super_packets_) return;
  super_packets_ = wanted;
  set_tun_offloads(tun_, wanted ? options_.peer_offloads : options_.peer_offloads & TUN_F_CSUM);
}

void PacketSender::put_back(ByteView packet) {
  auto rest = packet;
  for (const auto block : queue_.space()) {
    const auto piece = rest.first(std::min(rest.size(), block.size()));
    std::copy(piece.begin(), piece.end(), block.begin());
    rest = rest.subspan(piece.size());
    if (rest.empty()) break;
  }
  queue_.push_kept(packet.size() - rest.size());
}

void PacketSender::leave_to(core::KeepBuffer& keep, std::uint32_t epoch, Clock::time_point now) {
  sent_.for_each_unacknowledged([&](ByteView packet, std::uint64_t end) {
    keep.put(packet, {epoch, end});
  });
  queue_.set_codel({.target = Clock::duration::max()});  // they waited for a way that is no more
  Bytes packet(wire::packet_payload_bytes_max);
  while (const auto bytes = queue_.pop(packet, now))
    keep.put(ByteView{packet}.first(bytes), {epoch, core::KeepBuffer::not_sent});
}

PacketSender::Turn PacketSender::run(Clock::time_point now) {
  for (int batch = 0; batch < batches_per_turn; ++batch) {
    fill(now);
    if (tun_gone_) return Turn::tun_gone;
    if (tx_begin_ == tx_end_ && batch_.empty()) return finishing_ ? finish_tls() : Turn::idle;
    const auto turn = flush();
    if (turn == Turn::more) continue;
    if (!finishing_) absorb(now);
    return tun_gone_ ? Turn::tun_gone : turn;
  }
  return Turn::more;
}

PacketSender::Turn PacketSender::finish_tls() {
  ::SSL_shutdown(ssl_);
  send_rest();
  return Turn::finished;
}

/// Puts what is to be sent into the send buffer: our own frames first, then packets until it is
/// full, the window is, or none is left.
void PacketSender::fill(Clock::time_point now) {
  if (tx_begin_ != tx_end_ || !batch_.empty()) return;
  tx_ = sent_.next_batch();
  tx_begin_ = tx_end_ = 0;
  update_key_if_due();
  std::copy(outbox_.begin(), outbox_.end(), tx_.begin());
  const auto own = tx_end_ = outbox_.size();
  outbox_.clear();
  const auto packets = std::exchange(outbox_packet_bytes_, 0);
  if (!finishing_) fill_packets(window_.allowance(), now);
  if (const auto bytes = tx_end_ - own + packets; bytes > 0) {
    window_.on_sent(bytes, now);
    sent_.keep_batch(tx_end_);
  }
}

void PacketSender::fill_packets(std::size_t allowance, Clock::time_point now) {
  const auto begin = tx_end_;
  if (!queue_.empty() || allowance == 0) absorb(now);
  const auto may_send = [&] {
    const auto filled = tx_end_ - begin;
    return filled < allowance || (queue_.is_next_new() && filled < allowance + overdraft_bytes &&
                                  window_.bytes_in_flight() < window_.window() + overdraft_bytes);
  };
  while (tx_end_ < batch_bytes && may_send()) {
    const auto payload = tx_.subspan(tx_end_ + wire::header_bytes, wire::packet_payload_bytes_max);
    std::size_t bytes = 0;
    if (!queue_.empty()) {
      bytes = queue_.pop(payload, now);
    } else {
      const auto read = read_tun(payload, bytes);
      if (read == Read::skipped) continue;
      if (read != Read::packet) break;
    }
    if (bytes > 0) put_packet(bytes);
  }
  if (tx_end_ - begin >= allowance) {
    if (queue_.empty()) absorb(now);
    if (!queue_.empty()) window_.on_limited();
  }
  counters_.dropped_queue = queue_.dropped();
  counters_.marked = queue_.marked();
}

/// The packet is in place behind where its header goes.
void PacketSender::put_packet(std::size_t bytes) {
  const auto header = tx_.subspan(tx_end_).first<wire::header_bytes>();
  wire::encode_header(header, FrameType::packet, bytes);
  tx_end_ += wire::header_bytes + bytes;
  counters_.tx_bytes += bytes - wire::vnet_header_bytes;
  ++counters_.tx_packets;
}

PacketSender::Read PacketSender::read_tun(std::span<std::byte> payload, std::size_t& bytes) {
  const auto got = ::read(tun_, payload.data(), payload.size());
  if (got > 0) bytes = static_cast<std::size_t>(got);
  return judge_read(got, payload[wire::vnet_header_bytes]);
}

/// In L3 IPv4 alone; in L2 whatever has the header of a frame.
bool PacketSender::is_carried(std::size_t bytes, std::byte first_byte) const {
  if (options_.mode == wire::Mode::l2)
    return bytes >= wire::vnet_header_bytes + wire::ethernet_header_bytes;
  return bytes > wire::vnet_header_bytes &&
         std::to_integer<unsigned>(first_byte) >> 4U == ipv4_version;
}

PacketSender::Read PacketSender::judge_read(ssize_t got, std::byte first_byte) {
  switch (judge_tun_read(got)) {
    case TunRead::packet: break;
    case TunRead::none: return Read::none;
    case TunRead::again: return Read::skipped;
    case TunRead::gone: tun_gone_ = true; return Read::gone;
  }
  if (is_carried(static_cast<std::size_t>(got), first_byte)) return Read::packet;
  ++counters_.dropped_tx;
  return Read::skipped;
}

void PacketSender::absorb(Clock::time_point now) {
  std::size_t bytes = 0;
  for (int packets = 0; packets < absorb_packets_max && bytes < absorb_bytes_max; ++packets) {
    const auto space = queue_.space();
    std::array<iovec, core::FlowQueue::packet_blocks_max> pieces;
    std::transform(space.begin(), space.end(), pieces.begin(), [](auto block) {
      return iovec{block.data(), block.size()};
    });
    const auto got = ::readv(tun_, pieces.data(), static_cast<int>(space.size()));
    const auto read = judge_read(got, space[0][wire::vnet_header_bytes]);
    if (read == Read::skipped) continue;
    if (read != Read::packet) return;
    queue_.push(static_cast<std::size_t>(got), now);
    bytes += static_cast<std::size_t>(got);
  }
}

/// @return more: all of it is on its way
PacketSender::Turn PacketSender::flush() {
  const auto record_bytes = record_bytes_for(window_.rate());
  while (tx_begin_ < tx_end_) {
    ::ERR_clear_error();
    std::size_t written = 0;
    const auto piece = std::min(record_bytes, tx_end_ - tx_begin_);
    ssl_result_ = ::SSL_write_ex(ssl_, tx_.data() + tx_begin_, piece, &written);
    if (ssl_result_ != 1) return Turn::tls;
    tx_begin_ += written;
    ++records_;
  }
  socket_error_ = batch_.send();
  if (!socket_error_) return Turn::more;
  return socket_error_ == boost::system::errc::resource_unavailable_try_again ? Turn::blocked
                                                                              : Turn::cut;
}

void PacketSender::update_key_if_due() {
  if (records_ < options_.key_update_records && !key_update_due_) return;
  // Only our own direction: the other end counts its own records. Sent with the next record.
  if (::SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return;
  key_update_due_ = false;
  key_updated_ = true;
  records_ = 0;
}

}  // namespace tunnel::io
