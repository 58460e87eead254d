#pragma once
#include "core/keep_buffer.hpp"
#include "io/asio.hpp"

#include <vector>

namespace tunnel::io {

/// Reads a session's TUN or TAP while it has no leg, and keeps what a KeepBuffer keeps: so that the
/// kernel's queue does not fill with what is stale when the new leg is there.
class TunKeeper {
 public:
  /// @param tun  as PacketPump has it; borrowed until stop() or the destructor
  /// @param keep  what is kept already
  TunKeeper(asio::any_io_executor executor, int tun, core::KeepBuffer keep = core::KeepBuffer{});
  TunKeeper(const TunKeeper&) = delete;
  TunKeeper& operator=(const TunKeeper&) = delete;
  ~TunKeeper();

  /// Runs until stop(), or until the TUN is gone. Must not be cancelled.
  Task<> run();
  /// Ends run() soon. The TUN is no longer touched when this returns: a pump may have it.
  void stop();

  /// What is kept, for PacketPump::Options::kept; oldest first.
  std::vector<Bytes> take() { return keep_.take(); }
  /// For PacketPump::leave_to().
  core::KeepBuffer& keep() { return keep_; }
  /// The kernel took the TUN away: the session cannot go on.
  bool is_tun_gone() const { return tun_gone_; }

 private:
  /// Reads what is there. @return false when the TUN is gone
  bool drain();

  asio::posix::stream_descriptor tun_;
  core::KeepBuffer keep_;
  Bytes packet_;
  bool stopped_ = false;
  bool tun_gone_ = false;
};

}  // namespace tunnel::io
