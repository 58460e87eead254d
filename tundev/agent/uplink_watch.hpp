#pragma once
#include "agent/netd_client.hpp"
#include "agent/wakeup.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace device {

/// Tells netd what only the agent can know of a device's uplinks: where the server is, and by which
/// of them it answers. netd decides by which one we dial (dbus/org.rdv.Netd1.xml, SetServers and
/// ReportUplink).
///
/// Whether the server answers is tried with a bare TCP connection from an uplink's own address,
/// closed at once: no handshake, nothing for the server to do. While the device is online only the
/// uplinks that are better than the one in use are tried; while it is not, all of them, since one
/// of them may be the way. With a single uplink nothing is tried.
class UplinkWatch {
 public:
  /// While online. A better uplink is to answer for a minute, so it is tried often enough to see a
  /// gap, and seldom enough to cost nothing.
  static constexpr auto online_every = std::chrono::seconds{5};
  /// While offline, doubled up to online_every * 6.
  static constexpr auto offline_every = std::chrono::seconds{1};
  /// The connection to the server may come back by itself so quickly.
  static constexpr auto offline_patience = std::chrono::milliseconds{700};
  /// A way that takes longer for one round trip is no better than none: one lost SYN is repeated
  /// after 1 s.
  static constexpr auto answer_timeout = std::chrono::seconds{2};
  static constexpr std::size_t servers_max = 16;  ///< as netd takes them

  UplinkWatch(asio::any_io_executor executor, NetdClient& netd)
      : netd_{netd}, wakeup_{std::move(executor)} {}

  /// Runs until stop().
  Task<> run();
  void stop();

  /// These are about to be dialled; returns when netd has routed them. Those of before stay known:
  /// when no name server answers they are what is left.
  Task<> prepare(std::vector<asio::ip::tcp::endpoint> hops);
  /// netd was asked anew, or is gone (nothing): a new one knows nothing of ours.
  void on_netd(std::optional<Surroundings> around);
  /// The control connection is there. @param server  its other end
  void on_online(const asio::ip::tcp::endpoint& server);
  void on_offline();

 private:
  struct Candidate {
    std::string interface;
    tunnel::Ipv4Address address;
  };

  bool has_choice() const { return around_ && around_->is_chosen && !around_->others.empty(); }
  std::vector<Candidate> to_try() const;
  Clock::time_point next_round();
  Task<> try_from(std::vector<Candidate> candidates, std::size_t first);
  Task<> try_one(Candidate candidate);
  Task<bool> answers(tunnel::Ipv4Address source) const;
  void remember(const asio::ip::tcp::endpoint& server);
  Task<> tell_servers();

  NetdClient& netd_;
  Wakeup wakeup_;
  std::optional<Surroundings> around_;
  std::vector<asio::ip::tcp::endpoint> servers_;  ///< IPv4, the newest first
  bool servers_told_ = false;
  std::string answered_;  ///< by this interface, and netd is not told yet
  bool online_ = false;
  Clock::time_point last_change_ = Clock::now();  ///< of online_
  Clock::duration pause_ = offline_every;         ///< while offline
  bool stopping_ = false;
};

}  // namespace device
