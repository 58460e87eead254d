#include "wire/reasons.hpp"

namespace tunnel::wire {

std::string_view to_string(RefusalCode code) {
  switch (code) {
    case RefusalCode::offline: return "offline";
    case RefusalCode::busy: return "busy";
    case RefusalCode::not_allowed: return "not_allowed";
    case RefusalCode::unknown_device: return "unknown_device";
    case RefusalCode::wrong_role: return "wrong_role";
    case RefusalCode::limit: return "limit";
    case RefusalCode::mode_unsupported: return "mode_unsupported";
    case RefusalCode::declined: return "declined";
    case RefusalCode::no_answer: return "no_answer";
    case RefusalCode::code_unknown: return "code_unknown";
    case RefusalCode::code_used: return "code_used";
    case RefusalCode::code_expired: return "code_expired";
    case RefusalCode::bad_request: return "bad_request";
    case RefusalCode::revoked: return "revoked";
    case RefusalCode::server_trouble: return "server_trouble";
  }
  return "unknown";
}

std::string_view to_string(CloseCode code) {
  switch (code) {
    case CloseCode::operator_: return "operator";
    case CloseCode::terminal_closed: return "terminal_closed";
    case CloseCode::time_limit: return "time_limit";
    case CloseCode::unplugged: return "unplugged";
    case CloseCode::carrier_lost: return "carrier_lost";
    case CloseCode::administrator: return "administrator";
    case CloseCode::revoked: return "revoked";
    case CloseCode::customer: return "customer";
    case CloseCode::peer_lost: return "peer_lost";
    case CloseCode::replaced: return "replaced";
    case CloseCode::network: return "network";
    case CloseCode::integrity: return "integrity";
    case CloseCode::protocol: return "protocol";
    case CloseCode::shutdown: return "shutdown";
    case CloseCode::kernel: return "kernel";
    case CloseCode::no_echo: return "no_echo";
    case CloseCode::idle: return "idle";
  }
  return "unknown";
}

std::string_view to_string(GoodbyeCode code) {
  switch (code) {
    case GoodbyeCode::shutting_down: return "shutting_down";
    case GoodbyeCode::replaced: return "replaced";
    case GoodbyeCode::revoked: return "revoked";
    case GoodbyeCode::unknown_device: return "unknown_device";
    case GoodbyeCode::wrong_key: return "wrong_key";
    case GoodbyeCode::protocol: return "protocol";
    case GoodbyeCode::quarantined: return "quarantined";
    case GoodbyeCode::unsupported_version: return "unsupported_version";
    case GoodbyeCode::overloaded: return "overloaded";
    case GoodbyeCode::timeout: return "timeout";
  }
  return "unknown";
}

std::string_view sentence(CloseCode code) {
  switch (code) {
    case CloseCode::operator_: return "the engineer ended it";
    case CloseCode::terminal_closed: return "the engineer's terminal is gone";
    case CloseCode::time_limit: return "its time is over";
    case CloseCode::unplugged: return "the laptop's network adapter was unplugged";
    case CloseCode::carrier_lost: return "the laptop's network cable was unplugged";
    case CloseCode::administrator: return "the administrator of the server closed it";
    case CloseCode::revoked: return "the administrator of the server revoked a device";
    case CloseCode::customer: return "the customer ended it on the onsite device";
    case CloseCode::peer_lost: return "the other device no longer answers";
    case CloseCode::replaced: return "the device connected anew from somewhere else";
    case CloseCode::network: return "the connection to the server broke";
    case CloseCode::integrity: return "data was altered on its way";
    case CloseCode::protocol: return "the other side broke the protocol";
    case CloseCode::shutdown: return "a device or the server was stopped";
    case CloseCode::kernel: return "a device's own network failed";
    case CloseCode::no_echo: return "nothing came back through the whole path";
    case CloseCode::idle: return "nothing was sent for too long";
  }
  return "for a reason that this version does not know";
}

bool is_orderly(CloseCode code) {
  return code == CloseCode::operator_ || code == CloseCode::time_limit;
}

}  // namespace tunnel::wire
