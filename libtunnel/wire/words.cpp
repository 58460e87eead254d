#include "wire/messages.hpp"

namespace tunnel::wire {

std::string_view to_string(UplinkKind kind) {
  switch (kind) {
    case UplinkKind::unknown: return "unknown";
    case UplinkKind::lan: return "lan";
    case UplinkKind::wlan: return "wlan";
    case UplinkKind::wwan: return "wwan";
  }
  return "unknown";
}

UplinkKind parse_uplink_kind(std::string_view text) {
  for (const auto kind : {UplinkKind::lan, UplinkKind::wlan, UplinkKind::wwan})
    if (text == to_string(kind)) return kind;
  return UplinkKind::unknown;
}

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::l3: return "L3";
    case Mode::l2: return "L2";
  }
  return "unknown";
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (const auto mode : {Mode::l3, Mode::l2})
    if (text == to_string(mode)) return mode;
  return std::nullopt;
}

}  // namespace tunnel::wire
