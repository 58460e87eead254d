#pragma once
#include "io/asio.hpp"

#include <sdbus-c++/sdbus-c++.h>

#include <functional>
#include <memory>
#include <string>

namespace tunnel::bus {

/// One D-Bus connection served by the caller's io_context: every adaptor method, signal handler and
/// reply runs there, so no lock is needed. Debian 12's sdbus-c++ 1.2; the one file (with its .cpp)
/// that knows how its event loop is driven.
///
/// Not thread safe. Must outlive the adaptors and proxies made on connection().
class AsioBus {
 public:
  /// Called once, when the bus daemon is gone; after that nothing on this connection works any
  /// more.
  using OnLost = std::function<void()>;
  /// @param name  the unique or well-known name that has just lost its owner
  using OnNameGone = std::function<void(const std::string& name)>;

  /// Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured) and asks for `name`; "" for
  /// none.
  /// @throws sdbus::Error when there is no bus or the name is taken or not allowed to us
  AsioBus(io::asio::io_context& io, const std::string& name);
  ~AsioBus();
  AsioBus(AsioBus&&) = delete;

  sdbus::IConnection& connection() noexcept { return *connection_; }
  /// False once the bus daemon is gone.
  bool is_alive() const noexcept { return !gone_; }
  void on_lost(OnLost handler) { on_lost_ = std::move(handler); }
  /// Tells of every name that leaves the bus: the way to notice that a client died.
  void on_name_gone(OnNameGone handler);

  /// Call after starting an asynchronous method call from outside a bus handler: its time-out is
  /// then watched.
  void wake();

 private:
  void serve();
  void wait_for(short events);
  void lost();

  io::asio::io_context& io_;
  std::unique_ptr<sdbus::IConnection> connection_;
  io::asio::posix::stream_descriptor socket_;
  io::Timer timer_;
  std::unique_ptr<sdbus::IProxy> daemon_;
  OnLost on_lost_;
  OnNameGone on_name_gone_;
  bool reading_ = false;
  bool writing_ = false;
  bool gone_ = false;
  bool waking_ = false;
  std::shared_ptr<bool> alive_;  // shared with posted handlers that may run after our destruction
};

/// The unique bus name of whoever called the adaptor method that is running now; "" outside of one.
std::string caller(sdbus::IObject& object);

}  // namespace tunnel::bus
