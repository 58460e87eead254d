#include "net/listen_sockets.hpp"

#include "base/log.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>

namespace rdv {
namespace {

namespace log = tunnel::log;

/// What can be done about it, by the reason the kernel gave.
StartError cannot_listen(const Endpoint& endpoint, const error_code& why) {
  const auto what = fmt::format("cannot listen on {}: {}", endpoint.str(), why.message());
  switch (why.value()) {
    case EADDRINUSE:
      return {what, fmt::format("see which program has the port with: ss -ltnp 'sport = :{}'",
                                endpoint.port)};
    case EACCES:
      return {what,
              "ports below 1024 need CAP_NET_BIND_SERVICE or socket activation; start it by its "
              "systemd unit"};
    case EADDRNOTAVAIL:
      return {what,
              "it is not an address of this machine; see them with: ip address; then set `listen` "
              "in server.toml"};
    default: return {what, "check `listen` in server.toml"};
  }
}

tcp::acceptor open_socket(const asio::any_io_executor& executor, const Endpoint& endpoint,
                          error_code& ec) {
  tcp::acceptor acceptor{executor};
  const auto address = asio::ip::make_address(endpoint.host, ec);
  if (ec) return acceptor;
  const tcp::endpoint where{address, endpoint.port};
  if (acceptor.open(where.protocol(), ec); ec) return acceptor;
  if (acceptor.set_option(tcp::acceptor::reuse_address{true}, ec); ec) return acceptor;
  if (address.is_v6()) acceptor.set_option(asio::ip::v6_only{true}, ec);
  if (ec) return acceptor;
  if (acceptor.bind(where, ec); ec) return acceptor;
  acceptor.listen(listen_backlog, ec);
  return acceptor;
}

tcp::acceptor adopt(const asio::any_io_executor& executor, tunnel::UniqueFd fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  int type = 0;
  socklen_t type_length = sizeof type;
  const bool fits = ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
                    ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &type_length) == 0 &&
                    type == SOCK_STREAM &&
                    (address.ss_family == AF_INET || address.ss_family == AF_INET6);
  if (!fits)
    throw StartError{"a socket that systemd passed is not a listening TCP socket",
                     "use ListenStream= with a port in rdv-server.socket"};
  tcp::acceptor acceptor{executor};
  acceptor.assign(address.ss_family == AF_INET ? tcp::v4() : tcp::v6(), fd.get());
  (void)fd.release();  // the acceptor owns it now
  return acceptor;
}

}  // namespace

std::vector<tcp::acceptor> open_listen_sockets(const asio::any_io_executor& executor,
                                               const std::vector<Endpoint>& endpoints,
                                               std::vector<tunnel::UniqueFd> inherited) {
  std::vector<tcp::acceptor> sockets;
  for (auto& fd : inherited)
    sockets.push_back(adopt(executor, std::move(fd)));
  if (!sockets.empty()) return sockets;
  for (const auto& endpoint : endpoints) {
    error_code ec;
    auto socket = open_socket(executor, endpoint, ec);
    if (!ec) {
      sockets.push_back(std::move(socket));
      continue;
    }
    const bool no_such_family =
        ec.value() == EAFNOSUPPORT || (ec.value() == EADDRNOTAVAIL && endpoint.host == "::");
    if (!no_such_family || endpoints.size() == 1) throw cannot_listen(endpoint, ec);
    log::warn("this machine does not have an address family to listen on",
              {log::address(endpoint.str()), log::reason(ec)});
  }
  if (sockets.empty())
    throw StartError{"there is nothing to listen on", "set `listen` in server.toml"};
  return sockets;
}

}  // namespace rdv
