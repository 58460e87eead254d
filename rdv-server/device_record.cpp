#include "device_record.hpp"

namespace rdv {

std::string_view to_string(DeviceState state) {
  switch (state) {
    case DeviceState::registered: return "registered";
    case DeviceState::enrolled: return "enrolled";
    case DeviceState::revoked: return "revoked";
  }
  return "unknown";
}

}  // namespace rdv
