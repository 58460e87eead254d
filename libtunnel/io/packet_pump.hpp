#pragma once
#include "core/ack_clock.hpp"
#include "core/echo_probe.hpp"
#include "core/keep_buffer.hpp"
#include "core/packet_rules.hpp"
#include "core/session_watch.hpp"
#include "crypto/openssl.hpp"
#include "io/asio.hpp"
#include "io/data_leg.hpp"
#include "io/leg_socket.hpp"
#include "io/packet_sender.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tunnel::io {

/// Carries packets between a TUN device (in L2 a TAP; IFF_VNET_HDR) and the inner session of an
/// established leg, both ways at once, until one of them ends (DESIGN 5). One thread, no allocation
/// per packet, bounded memory. A turn of either direction is bounded, so that nothing else on the
/// thread starves. What goes out is PacketSender's; what comes in is checked, written to the TUN
/// and acknowledged here.
///
/// Every packet from the other end is checked before the kernel sees it: wire::check_packet and
/// core::PacketRules, in L2 wire::check_frame. The way itself is proven by an echo that the
/// onsite's kernel answers; in L2, where it has no address, by the answer of its pump, which runs
/// once its TAP is there.
class PacketPump {
 public:
  struct Options {
    std::uint64_t session = 0;
    wire::Role role = wire::Role::onsite;
    Ipv4Address onsite_address, master_address;  ///< in the tunnel; not of L2
    core::SessionWatch::Times times;
    std::uint64_t echo_token = 0;  ///< random
    /// The session was interrupted: no echo over its new leg is the leg's fault and says no Bye.
    bool resumes = false;
    std::vector<Bytes> kept = {};  ///< sent before anything from the TUN (TunKeeper::take)
    PacketSender::Options sender;
  };
  /// @param echo  time of the first echo through the whole path; zero at an onsite
  using OnRunning = std::function<void(Clock::duration echo)>;

  /// @param leg  established; must outlive the pump
  /// @param tun  a descriptor with one packet per read and write: a TUN, or a SOCK_SEQPACKET socket
  /// in tests. Borrowed: it must stay open until run() is over or abort() was called, and nobody
  /// else may read it until then; afterwards another pump, or a TunKeeper, may go on with it.
  PacketPump(DataLeg& leg, int tun, Options options, OnRunning on_running);
  ~PacketPump();

  /// Runs until the session ends or its leg is lost, and says why. Must not be cancelled: use
  /// stop().
  Task<LegEnd> run();
  /// Ends run() soon: says bye to the other end first, as far as the connection takes it within
  /// `bye_timeout`.
  void stop(wire::CloseCode code, std::string text);
  /// Ends run() at once, without a word to the other end: not one more packet. The TUN is no longer
  /// touched when this returns.
  void abort(wire::CloseCode code, std::string text);
  /// After run(): hands over what was still to be sent, or may not have arrived, oldest first.
  /// @param epoch  of this leg
  void leave_to(core::KeepBuffer& keep, std::uint32_t epoch);
  /// Of `packet` frames, headers included, that came: for the next leg's Confirm.
  std::uint64_t received_bytes() const { return acks_.received_bytes() + rx_packet_bytes_; }

  const PumpCounters& counters() const { return counters_; }

  static constexpr auto bye_timeout = std::chrono::seconds{1};

 private:
  enum class Status : std::uint8_t { progress, wants_read, over };

  Task<> receive();
  Task<> read_tun();
  Task<> write_socket();
  Task<> acknowledge();
  Task<> watch();

  Status read_turn();
  void end_read_turn();
  bool take_frames();
  void on_frame(wire::FrameType type, ByteView payload);
  void on_packet(ByteView payload);
  void on_ip(ByteView payload);
  void on_ethernet(ByteView payload);
  void on_alive_answer(ByteView payload);
  void on_proven();
  void take_in(ByteView payload);
  void on_ack(ByteView payload);
  void write_tun(ByteView payload);
  using EchoToken = std::array<std::byte, 8>;
  void send_echo();
  EchoToken echo_token() const;
  bool is_bridged() const { return options_.sender.mode == wire::Mode::l2; }

  /// Lets the sender go on. Call whenever something it may wait for has happened.
  void send();
  bool acknowledge_if_due(Clock::time_point now);
  void queue_ack(Clock::time_point now);
  void say_bye();

  void on_watch(core::SessionWatch::Action action);
  /// What an SSL call that failed means.
  Status judge(int ssl_result);
  void end(wire::CloseCode code, std::string text);
  void lose(wire::CloseCode code, std::string text);
  void end(LegEnd why);
  /// Tells the watchdog what is under way.
  void watch_flight(Clock::time_point now);
  /// Bytes have come, if only a part of a record.
  bool has_received();

  DataLeg& leg_;
  SSL* ssl_;
  asio::posix::stream_descriptor tun_;
  Timer timer_, ack_timer_, blocked_timer_;
  Options options_;
  OnRunning on_running_;
  core::PacketRules rules_;
  core::EchoProbe probe_;
  core::SessionWatch watch_;
  Clock::time_point started_;
  std::uint16_t echoes_ = 0;
  std::uint64_t rx_raw_bytes_ = 0;  ///< as the socket gave them

  PumpCounters counters_;
  PacketSender sender_;
  core::AckClock acks_;
  LossWatch losses_;
  HoleWatch holes_;
  Bytes rx_;
  std::size_t rx_begin_ = 0, rx_end_ = 0;
  bool ack_timed_ = false;           ///< ack_timer_ is set to when the next one is due
  std::size_t rx_packet_bytes_ = 0;  ///< of `packet` frames in this turn
  bool news_for_sender_ = false;     ///< in this turn
  bool more_to_send_ = false;        ///< the sender had no more time in its turn
  bool tun_reader_waits_ = false;
  bool sender_is_blocked_ = false;  ///< the socket took no more

  std::optional<LegEnd> stopping_;  ///< bye is on its way
  Clock::time_point bye_ends_{};
  std::optional<LegEnd> ended_;
};

}  // namespace tunnel::io
