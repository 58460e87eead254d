#pragma once
#include "base/unique_fd.hpp"
#include "emulator/control_socket.hpp"
#include "emulator/direction.hpp"
#include "emulator/packet_port.hpp"
#include "emulator/request.hpp"

#include <string>
#include <string_view>

namespace emulator {

/// The cable itself: frames between two links of this network namespace, and the control socket.
/// "up" is from the near end to the far one.
class Cable {
 public:
  struct Ends {
    std::string near;     ///< link whose other end the site or the office has
    std::string far;      ///< link whose other end the internet has
    std::string control;  ///< path of the control socket
  };

  /// @throws std::system_error when the kernel refuses something
  explicit Cable(const Ends& ends);

  /// Carries frames until SIGTERM or SIGINT. @throws std::system_error when an end is gone
  void run();

 private:
  struct Way {
    Way(PacketPort& in_port, PacketPort& out_port, std::uint64_t seed)
        : in{in_port}, out{out_port}, direction{seed} {}

    PacketPort& in;
    PacketPort& out;
    Direction direction;
    EdgeCounters edge;
  };

  static void receive(Way& way);
  static void deliver(Way& way);
  void wait();
  void on_ready(int fd);
  std::string answer(std::string_view request);
  std::string state();

  tunnel::UniqueFd epoll_;
  tunnel::UniqueFd signals_;
  PacketPort near_;
  PacketPort far_;
  Way up_;
  Way down_;
  ControlSocket control_;
  bool stopped_ = false;
};

}  // namespace emulator
