#pragma once
#include "base/unique_fd.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator {

/// Where the lab asks and sets: a Unix socket (SOCK_SEQPACKET, so a message is a request) for root
/// alone. Never waits for a client.
class ControlSocket {
 public:
  static constexpr std::size_t clients_max = 8;

  using Answer = std::function<std::string(std::string_view request)>;

  /// Makes the socket file, in place of one that is there.
  /// @throws std::system_error
  ControlSocket(std::string path, int epoll_fd);
  ~ControlSocket();
  ControlSocket(ControlSocket&&) = delete;

  /// To be called when epoll reports `fd`; one that is not ours is ignored.
  void on_readable(int fd, const Answer& answer);

 private:
  void accept();
  void watch(int fd) const;

  std::string path_;
  int epoll_fd_;
  tunnel::UniqueFd listening_;
  std::vector<tunnel::UniqueFd> clients_;
};

}  // namespace emulator
