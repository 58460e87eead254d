#pragma once
#include <cstdint>
#include <string_view>

/// Why something was refused or ended: a number on the wire, a word for programs, a sentence for
/// people.
namespace tunnel::wire {

enum class RefusalCode : std::uint8_t {
  offline = 1,
  busy = 2,
  not_allowed = 3,
  unknown_device = 4,
  wrong_role = 5,
  limit = 6,
  mode_unsupported = 7,
  declined = 8,
  no_answer = 9,
  code_unknown = 20,
  code_used = 21,
  code_expired = 22,
  bad_request = 23,
  revoked = 24,
  server_trouble = 25,
};

enum class CloseCode : std::uint8_t {
  operator_ = 1,        ///< the engineer ended it
  terminal_closed = 2,  ///< masterdev is gone without a word
  time_limit = 3,
  unplugged = 4,      ///< the laptop's port is gone
  carrier_lost = 5,   ///< the laptop's cable is out
  administrator = 6,  ///< rdvctl session close
  revoked = 7,
  customer = 8,    ///< ended on the onsite
  peer_lost = 9,   ///< the other device is gone without a word
  replaced = 10,   ///< the device connected anew elsewhere
  network = 11,    ///< a connection broke
  integrity = 12,  ///< bytes were altered on the way
  protocol = 13,
  shutdown = 14,  ///< a device or the server stops
  kernel = 15,    ///< a device's own network failed
  no_echo = 16,   ///< nothing came back through the path
  idle = 17,
};

enum class GoodbyeCode : std::uint8_t {
  shutting_down = 1,
  replaced = 2,
  revoked = 3,
  unknown_device = 4,
  wrong_key = 5,
  protocol = 6,
  quarantined = 7,
  unsupported_version = 8,
  overloaded = 9,
  timeout = 10,
};

/// One lower-case word, for logs and --json.
std::string_view to_string(RefusalCode code);
std::string_view to_string(CloseCode code);
std::string_view to_string(GoodbyeCode code);

/// What a person reads: "the engineer ended it".
std::string_view sentence(CloseCode code);

/// True when an end with this code is what somebody wanted: exit code 0.
bool is_orderly(CloseCode code);

}  // namespace tunnel::wire
