#pragma once
#include "agent/early_leg.hpp"
#include "agent/identity.hpp"
#include "agent/netd_client.hpp"
#include "agent/wakeup.hpp"
#include "core/device_session.hpp"
#include "io/packet_pump.hpp"
#include "io/tun_keeper.hpp"

#include <functional>
#include <optional>
#include <vector>

namespace device {

/// One granted session from the grant to its end. The data leg and the kernel's side are made at
/// the same time, then the pump runs. When the leg is lost the kernel's side stays as it is, the
/// TUN is drained into a keep-buffer, and the next grant's leg takes it over (DESIGN 4, "Resume"):
///
///   making leg and network --> pumping --lost, interrupt()--> without leg --resume()--> making leg
///                                 ^-------------------------------------------------------'
///
/// A session that was kept over the death of an agent begins without a leg. Any of them ends with
/// stop() or abort(). Every step has a deadline; how long a session may be
/// without a leg is core::DeviceSession's to say.
class SessionRunner {
 public:
  /// A grant, and how to make the leg it gives.
  struct LegPlan {
    tunnel::core::StartSession start;
    Way way;                                 ///< the control connection's
    tunnel::Clock::duration clock_offset{};  ///< the server's time less ours
    bool check_dates = true;                 ///< false: our clock is wrong
    std::optional<EarlyLeg> early;           ///< begun before the grant came
  };
  struct Plan {
    LegPlan first;
    wire::Role role = wire::Role::onsite;  ///< ours
    std::string interface;                 ///< onsite: the customer's LAN port
    /// Of a session that an earlier agent ran: there is no leg until resume().
    std::optional<SessionTun> kept = {};
    std::vector<tunnel::Ipv4Address> deny = {};  ///< with `kept`: what netd was told
  };
  struct Events {
    /// Packets flow over a new leg. @param echo  zero at an onsite
    std::function<void(const tunnel::core::StartSession& start, Clock::duration echo)> running;
    /// The leg of this epoch is gone, or could not be made. When this is over, interrupt() or
    /// stop() was called: by it, or before.
    std::function<Task<>(std::uint32_t epoch, tunnel::io::LegEnd why)> lost;
  };
  /// The leg of a resumed session is made, the other device's handshake included, within this: both
  /// have just asked for it.
  static constexpr auto resume_timeout = std::chrono::seconds{8};
  /// An early leg that was begun while the way was gone may wait long for its next SYN; the grant
  /// proves that the way is back.
  static constexpr auto early_patience = std::chrono::milliseconds{700};

  SessionRunner(const Identity& identity, NetdClient& netd, Plan plan, Events events,
                asio::any_io_executor executor);

  /// @return why the session ended; the kernel is not yet as before
  Task<tunnel::io::LegEnd> run();
  /// After run(): no packet any more, and netd has undone what it did (or its deadline is over).
  Task<> clean_up();

  /// Drops the leg at once, if there is one. The kernel's side stays, and waits for resume().
  void interrupt();
  /// The leg is dead, though nothing has told us yet: drops it at once, and reports it as lost.
  void lose_leg(wire::CloseCode code, const std::string& text);
  /// A newer grant. Ignored once the session ends.
  void resume(LegPlan next);
  /// Ends run() soon, with a word to the other end.
  void stop(wire::CloseCode code, const std::string& text);
  /// Ends run() at once: not one more packet.
  void abort(wire::CloseCode code, const std::string& text);

  std::uint64_t id() const { return plan_.start.id; }
  /// The newest grant that a leg was begun with.
  const tunnel::core::StartSession& start() const { return plan_.start; }
  /// What netd was told not to forward to.
  const std::vector<tunnel::Ipv4Address>& deny() const { return deny_; }
  bool has_tun() const { return tun_.has_value(); }
  /// Another descriptor of it, for netd. Only with a TUN.
  tunnel::UniqueFd duplicate_tun() const;
  /// Of all legs together.
  tunnel::io::PumpCounters counters() const;
  /// Our end of the leg that carries packets now.
  std::optional<asio::ip::address> leg_address();

 private:
  Task<> make_leg();
  Task<bool> connect();
  Task<> make_network();
  Task<> pump();
  Task<> report_loss();
  Task<> bridge();
  Task<> keep_tun();
  Task<> find_leg();
  Task<> woken() { return wakeup_.wait(); }
  void begin_leg();
  bool is_leg_up() const;
  void drop_leg();
  void leg_failed(tunnel::io::LegEnd why);
  void give_up(tunnel::io::LegEnd why);
  bool is_resumed() const { return plan_.start.grant.epoch > 1; }
  tunnel::io::DataLeg::Plan leg_plan() const;
  tunnel::io::PacketPump::Options pump_options();
  std::optional<tunnel::io::LegEnd> check_peer_dates() const;

  const Identity& identity_;
  NetdClient& netd_;
  Events events_;
  asio::any_io_executor executor_;
  wire::Role role_;
  std::string interface_;
  LegPlan plan_;                            ///< of the newest leg
  std::optional<LegPlan> next_;             ///< of the one to come
  std::optional<tunnel::io::LegEnd> end_;   ///< of the session
  std::optional<tunnel::io::LegEnd> lost_;  ///< of the newest leg, not yet reported
  bool has_leg_ = false;                    ///< it is being made, or is up
  bool leg_made_ = false;                   ///< packets may flow
  bool interrupted_ = false;                ///< since the newest leg began
  Wakeup wakeup_;                           ///< one of the above has changed

  bool network_asked_ = false;
  std::optional<SessionTun> tun_;
  std::vector<tunnel::Ipv4Address> deny_;
  std::optional<crypto::TlsContext> outer_, inner_;
  std::optional<tunnel::io::DataLeg> leg_;
  std::optional<tunnel::io::TunKeeper> keeper_;
  tunnel::core::KeepBuffer::Sent heard_;  ///< how much came, on the last leg on which anything did
  std::optional<tunnel::io::PacketPump> pump_;
  tunnel::io::PumpCounters counters_;  ///< of the legs that are gone
};

}  // namespace device
