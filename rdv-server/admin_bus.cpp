#include "admin_bus.hpp"

#include "base/log.hpp"
#include "net/start_error.hpp"

namespace rdv {

namespace log = tunnel::log;

AdminBus::Joined::Joined(AdminBus& admin, tunnel::io::asio::io_context& io, Control& control)
    : bus{io, server_bus_name}, object{bus.connection(), control} {
  bus.on_lost([&admin] { admin.rejoin_later(); });
}

AdminBus::AdminBus(tunnel::io::asio::io_context& io, Control& control)
    : io_{io}, control_{control}, retry_{io} {
  try {
    joined_ = std::make_unique<Joined>(*this, io_, control_);
  } catch (const sdbus::Error& error) {
    throw StartError{"cannot offer org.rdv.Server1 on the system bus: " + error.getMessage(),
                     "check that dbus runs, that no other rdv-server does, and that the policy "
                     "org.rdv.Server1.conf is installed"};
  }
}

/// Not at once: we are called from within the bus that is gone.
void AdminBus::rejoin_later() {
  retry_.expires_after(rejoin_after);
  retry_.async_wait([this](tunnel::io::error_code ec) {
    if (!ec) rejoin();
  });
}

void AdminBus::rejoin() {
  joined_.reset();
  try {
    joined_ = std::make_unique<Joined>(*this, io_, control_);
    log::info("joined the system bus again");
  } catch (const sdbus::Error& error) {
    log::debug("the system bus is not back yet", {log::reason(error.getMessage())});
    rejoin_later();
  }
}

}  // namespace rdv
