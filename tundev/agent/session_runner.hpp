#pragma once
#include "agent/early_leg.hpp"
#include "agent/identity.hpp"
#include "agent/netd_client.hpp"
#include "agent/wakeup.hpp"
#include "core/device_session.hpp"
#include "io/packet_pump.hpp"

#include <functional>
#include <optional>

namespace device {

/// One granted session from the grant to its end: the data leg and the kernel's side are made at
/// the same time, then the pump runs. Every step has a deadline; whatever fails first ends the
/// rest.
class SessionRunner {
 public:
  struct Plan {
    tunnel::core::StartSession start;
    wire::Role role = wire::Role::onsite;    ///< ours
    Way way;                                 ///< the control connection's
    std::string interface;                   ///< onsite: the customer's LAN port
    tunnel::Clock::duration clock_offset{};  ///< the server's time less ours
    bool check_dates = true;                 ///< false: our clock is wrong
    std::optional<EarlyLeg> early;           ///< begun before the grant came
  };
  using OnRunning = tunnel::io::PacketPump::OnRunning;

  SessionRunner(const Identity& identity, NetdClient& netd, Plan plan, OnRunning on_running,
                asio::any_io_executor executor);

  /// @return why it ended; the kernel is not yet as before
  Task<tunnel::io::LegEnd> run();
  /// After run(): no packet any more, and netd has undone what it did (or its deadline is over).
  Task<> clean_up();

  /// Ends run() soon, with a word to the other end.
  void stop(wire::CloseCode code, const std::string& text);
  /// Ends run() at once: not one more packet.
  void abort(wire::CloseCode code, const std::string& text);

  std::uint64_t id() const { return plan_.start.id; }
  tunnel::io::PumpCounters counters() const { return pump_ ? pump_->counters() : counters_; }

 private:
  Task<> make_leg();
  Task<bool> connect();
  Task<> make_network();
  Task<> stopped() { return stop_.wait(); }
  void give_up(wire::CloseCode code, std::string text);
  tunnel::io::DataLeg::Plan leg_plan() const;
  tunnel::io::PacketPump::Options pump_options() const;
  std::optional<tunnel::io::LegEnd> check_peer_dates() const;

  NetdClient& netd_;
  Plan plan_;
  OnRunning on_running_;
  crypto::TlsContext outer_;
  crypto::TlsContext inner_;
  Wakeup stop_;
  std::optional<tunnel::io::LegEnd> end_;
  bool network_asked_ = false;
  std::optional<SessionTun> tun_;
  std::optional<tunnel::io::DataLeg> leg_;
  std::optional<tunnel::io::PacketPump> pump_;
  tunnel::io::PumpCounters counters_;
};

}  // namespace device
