#pragma once
#include "base/unique_fd.hpp"
#include "netd_support.hpp"

#include <atomic>
#include <string>
#include <thread>

/// Packets for the component tests of tundev-netd: the way between two TUN devices, small services,
/// and an ear.
namespace netd_test {

/// Carries packets, virtio header and all, between two TUN devices, as two agents and a server do.
class Pump {
 public:
  Pump(int tun_a, int tun_b);
  ~Pump();
  Pump(Pump&&) = delete;

 private:
  void run();

  int a_, b_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// Answers on one UDP or TCP port of one host, until it goes.
class Service {
 public:
  enum class Kind {
    tcp,  ///< accepts
    udp,  ///< sends back what comes
    dns,  ///< answers every question with 10.9.8.7
  };
  Service(const Host& host, Kind kind, std::uint16_t port);
  ~Service();
  Service(Service&&) = delete;

 private:
  void run();

  Kind kind_;
  tunnel::UniqueFd socket_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// Tries to reach a port: "open", "refused", "prohibited" (ICMP unreachable of any kind) or
/// "silence" after 1 s.
std::string reach_tcp(const Host& from, const std::string& address, std::uint16_t port);
/// The same with a datagram: "open" when it came back.
std::string reach_udp(const Host& from, const std::string& address, std::uint16_t port);
/// One ping: "answer", "unreachable" or "silence".
std::string ping(const Host& from, const std::string& address, const std::string& options = "");

/// The same until they say `wanted`: on a busy machine one packet may be late, and the
/// kernel tells a host of what is unreachable once a second only (icmp(7), icmp_ratelimit).
Said tcp_says(const Host& from, const std::string& address, std::uint16_t port,
              const std::string& wanted);
Said udp_says(const Host& from, const std::string& address, std::uint16_t port,
              const std::string& wanted);
Said ping_says(const Host& from, const std::string& address, const std::string& wanted,
               const std::string& options = "");

/// Listens to all that a host's link carries.
class Ear {
 public:
  Ear(const Host& host, const std::string& link);
  /// How many IPv4 packets since the last call had a source or destination in `prefix`.
  int heard(const std::string& prefix);

 private:
  tunnel::UniqueFd socket_;
};

}  // namespace netd_test
