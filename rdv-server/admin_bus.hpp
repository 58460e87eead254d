#pragma once
#include "bus/asio_bus.hpp"
#include "control_dbus.hpp"

#include <memory>

namespace rdv {

/// org.rdv.Server1 on the system bus, for as long as this object lives: when the bus goes (its
/// daemon was restarted), it is joined again as soon as it is back. Nothing that devices do depends
/// on it, so they notice nothing.
class AdminBus {
 public:
  static constexpr std::chrono::milliseconds rejoin_after{500};

  /// @throws StartError  there is no bus, or the name is taken or not allowed to us
  AdminBus(tunnel::io::asio::io_context& io, Control& control);
  AdminBus(AdminBus&&) = delete;

 private:
  /// One connection, and our object on it.
  struct Joined {
    Joined(AdminBus& admin, tunnel::io::asio::io_context& io, Control& control);
    tunnel::bus::AsioBus bus;
    ControlDbus object;
  };

  void rejoin_later();
  void rejoin();

  tunnel::io::asio::io_context& io_;
  Control& control_;
  tunnel::io::Timer retry_;
  std::unique_ptr<Joined> joined_;
};

}  // namespace rdv
