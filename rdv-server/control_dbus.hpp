#pragma once
#include "control.hpp"

#include <memory>

namespace sdbus {
class IConnection;
}

namespace rdv {

inline constexpr char server_bus_name[] = "org.rdv.Server1";
inline constexpr char server_object_path[] = "/org/rdv/Server1";

/// org.rdv.Server1 on a bus connection that owns `server_bus_name` (bus::AsioBus). Both arguments
/// must outlive it.
class ControlDbus {
 public:
  ControlDbus(sdbus::IConnection& connection, Control& control);
  ~ControlDbus();

 private:
  class Adaptor;  // the only code that knows sdbus-c++
  std::unique_ptr<Adaptor> adaptor_;
};

}  // namespace rdv
