#include "emulator/control_socket.hpp"

#include "emulator/request.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace emulator {
namespace {

[[noreturn]] void fail(const std::string& attempted) {
  throw std::system_error{errno, std::generic_category(), attempted};
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw std::invalid_argument{"no path for a socket: " + path};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

ControlSocket::ControlSocket(std::string path, int epoll_fd)
    : path_{std::move(path)},
      epoll_fd_{epoll_fd},
      listening_{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
  if (!listening_) fail("open the control socket");
  // Whoever sees the file can connect: it gets its name when the socket listens.
  const auto unnamed = path_ + ".new";
  const auto address = address_of(unnamed);
  ::unlink(unnamed.c_str());
  const auto others = ::umask(0177);
  const int bound =
      ::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(others);
  if (bound != 0) fail("bind the control socket to " + unnamed);
  if (::listen(listening_.get(), static_cast<int>(clients_max)) != 0) fail("listen on " + unnamed);
  if (::rename(unnamed.c_str(), path_.c_str()) != 0) fail("name the control socket " + path_);
  watch(listening_.get());
}

ControlSocket::~ControlSocket() {
  ::unlink(path_.c_str());
}

void ControlSocket::watch(int fd) const {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) fail("watch the control socket");
}

void ControlSocket::on_readable(int fd, const Answer& answer) {
  if (fd == listening_.get()) return accept();
  const auto client =
      std::find_if(clients_.begin(), clients_.end(), [fd](const auto& c) { return c.get() == fd; });
  if (client == clients_.end()) return;
  std::array<char, request_bytes_max> request;
  const auto got = ::recv(fd, request.data(), request.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    const auto said = answer({request.data(), static_cast<std::size_t>(got)});
    if (::send(fd, said.data(), said.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return;
  }
  clients_.erase(client);  // it has gone, or does not read its answers
}

void ControlSocket::accept() {
  tunnel::UniqueFd client{
      ::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!client || clients_.size() >= clients_max) return;
  watch(client.get());
  clients_.push_back(std::move(client));
}

}  // namespace emulator
