#pragma once
#include "base/unique_fd.hpp"
#include "core/echo_probe.hpp"
#include "core/packet_rules.hpp"
#include "core/session_watch.hpp"
#include "crypto/openssl.hpp"
#include "io/asio.hpp"
#include "io/data_leg.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tunnel::io {

/// What a pump counts; rx is what came from the other end.
struct PumpCounters {
  std::uint64_t rx_bytes = 0, tx_bytes = 0;      ///< of IP packets
  std::uint64_t rx_packets = 0, tx_packets = 0;  ///< super-packets count once
  std::uint64_t dropped_malformed = 0;           ///< not a packet that the tunnel may carry
  std::uint64_t dropped_address = 0;             ///< with an address that is not the session's
  std::uint64_t dropped_kernel = 0;              ///< that our kernel did not take
  std::uint64_t dropped_tx = 0;  ///< that our kernel gave and the tunnel does not carry
};

/// Carries packets between a TUN device (IFF_VNET_HDR) and the inner session of an established leg,
/// both ways at once, until one of them ends (DESIGN 5). One thread, no allocation per packet,
/// bounded memory; the TUN is not read while the socket is blocked. A turn of either direction is
/// bounded, so that nothing else on the thread starves.
///
/// Every packet from the other end is checked (wire::check_packet, core::PacketRules) before the
/// kernel sees it.
class PacketPump {
 public:
  struct Options {
    std::uint64_t session = 0;
    wire::Role role = wire::Role::onsite;
    Ipv4Address onsite_address, master_address;  ///< in the tunnel
    core::SessionWatch::Times times;
    std::uint64_t echo_token = 0;  ///< random
    std::uint64_t key_update_records = wire::key_update_records;
  };
  /// @param echo  time of the first echo through the whole path; zero at an onsite
  using OnRunning = std::function<void(Clock::duration echo)>;

  /// @param leg  established; must outlive the pump
  /// @param tun  a descriptor with one packet per read and write: a TUN, or a SOCK_SEQPACKET socket
  /// in tests
  PacketPump(DataLeg& leg, UniqueFd tun, Options options, OnRunning on_running);

  /// Runs until the session ends, and says why. Must not be cancelled: use stop().
  Task<LegEnd> run();
  /// Ends run() soon: says bye to the other end first, as far as the connection takes it within
  /// `bye_timeout`.
  void stop(wire::CloseCode code, std::string text);
  /// Ends run() at once and closes the TUN: not one more packet.
  void abort(wire::CloseCode code, std::string text);

  const PumpCounters& counters() const { return counters_; }

  static constexpr auto bye_timeout = std::chrono::seconds{1};

 private:
  enum class Status : std::uint8_t { progress, wants_read, wants_write, over };

  Task<> receive();
  Task<> send();
  Task<> watch();

  Status read_turn();
  bool take_frames();
  void on_frame(wire::FrameType type, ByteView payload);
  void on_packet(ByteView payload);
  void write_tun(ByteView payload);

  /// Puts what is to be sent into the send buffer: our own frames first, then packets until it is
  /// full or none is left.
  void fill();
  void fill_from_tun();
  Status flush();
  void queue(wire::FrameType type, ByteView payload);
  void update_key_if_due();

  void on_watch(core::SessionWatch::Action action);
  /// What an SSL call that failed means.
  Status judge(int ssl_result);
  void end(wire::CloseCode code, std::string text);
  void wake_sender();
  Task<> wait_socket(Status status);

  DataLeg& leg_;
  SSL* ssl_;
  asio::posix::stream_descriptor tun_;
  Timer timer_;
  Options options_;
  OnRunning on_running_;
  core::PacketRules rules_;
  core::EchoProbe probe_;
  core::SessionWatch watch_;
  Clock::time_point started_;
  std::uint16_t echoes_ = 0;

  Bytes rx_, tx_, outbox_;
  std::size_t rx_begin_ = 0, rx_end_ = 0;
  std::size_t tx_begin_ = 0, tx_end_ = 0;
  std::uint64_t records_ = 0;  ///< since the last key update
  bool key_update_due_ = false;
  bool bye_queued_ = false;
  bool sender_waits_for_tun_ = false;

  std::optional<LegEnd> stopping_;  ///< bye is on its way
  Clock::time_point bye_ends_{};
  std::optional<LegEnd> ended_;
  PumpCounters counters_;
};

}  // namespace tunnel::io
