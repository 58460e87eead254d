#pragma once
#include "io/asio.hpp"
#include "netd/child_process.hpp"
#include "netd/dnsmasq_config.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace device {

/// dnsmasq on the laptop's port: DHCP, and DNS for the time of a session. Started again, ever more
/// slowly, when it ends by itself. Its files are made here and removed on destruction, but for the
/// leases: a laptop that was unplugged for a moment gets its address back.
class Dnsmasq {
 public:
  static constexpr std::chrono::milliseconds first_delay{250};  ///< before the first restart
  static constexpr std::chrono::seconds last_delay{30};         ///< delays double up to here
  static constexpr std::chrono::seconds healthy_after{10};  ///< running so long, it starts afresh

  struct Spec {
    std::string port;
    tunnel::Ipv4Prefix address;
    std::string hostname;
    std::filesystem::path runtime_dir;  ///< made if missing
  };
  /// @param on_ready  called once, when DHCP and DNS are answered for the first time
  /// @throws std::system_error when the files cannot be written
  Dnsmasq(tunnel::io::asio::io_context& io, Spec spec, std::function<void()> on_ready);
  ~Dnsmasq();
  Dnsmasq(Dnsmasq&&) = delete;

  /// Asks `servers` through the link `tunnel` from now on and forgets all it knows; with none it
  /// answers REFUSED.
  /// @throws std::system_error when the file cannot be written
  void ask(const std::vector<tunnel::Ipv4Address>& servers, const std::string& tunnel);

 private:
  void start();
  void watch_end();
  void watch_ready(std::chrono::milliseconds delay);
  void look_ready();
  void ended();
  void restart_later();

  tunnel::io::asio::io_context& io_;
  Spec spec_;
  DnsmasqPaths paths_;
  std::function<void()> on_ready_;
  std::optional<ChildProcess> child_;
  tunnel::io::asio::posix::stream_descriptor end_;  // a duplicate of the child's pidfd
  tunnel::io::Timer restart_;
  tunnel::io::Timer ready_;
  tunnel::Clock::time_point started_;
  std::chrono::milliseconds delay_ = first_delay;
  bool answering_ = false;
  bool asked_early_ = false;     // servers were set while it started
  std::shared_ptr<bool> alive_;  // shared with handlers that may run after our destruction
};

}  // namespace device
