#include "audit/words.hpp"

namespace rdv {

std::string_view audit_word(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::connected:
    case Event::Kind::disconnected:
    case Event::Kind::server_trouble:
    case Event::Kind::open_waits: return "";
    case Event::Kind::connection_refused: return "connection_refused";
    case Event::Kind::replaced: return "connection_replaced";
    case Event::Kind::quarantined: return "device_quarantined";
    case Event::Kind::protocol_violated: return "protocol_violated";
    case Event::Kind::open_asked: return "session_asked";
    case Event::Kind::open_refused: return "session_refused";
    case Event::Kind::granted: return "session_granted";
    case Event::Kind::relay_started: return "session_established";
    case Event::Kind::interrupted: return "session_interrupted";
    case Event::Kind::resumed: return "session_resumed";
    case Event::Kind::closed: return "session_closed";
    case Event::Kind::attach_refused: return "leg_refused";
    case Event::Kind::renewed: return "device_renewed";
    case Event::Kind::renew_refused: return "renewal_refused";
    case Event::Kind::enrolled: return "device_enrolled";
    case Event::Kind::enrol_refused: return "enrolment_refused";
    case Event::Kind::device_added: return "device_added";
    case Event::Kind::device_changed: return "device_changed";
    case Event::Kind::device_revoked: return "device_revoked";
    case Event::Kind::device_removed: return "device_removed";
    case Event::Kind::code_replaced: return "code_made";
    case Event::Kind::close_ordered: return "close_ordered";
    case Event::Kind::server_started: return "server_started";
    case Event::Kind::server_stopped: return "server_stopped";
    case Event::Kind::left_out: return "left_out";
    case Event::Kind::audit_alarm: return "audit_alarm";
    case Event::Kind::audit_gap: return "audit_gap";
    case Event::Kind::audit_repaired: return "audit_repaired";
    case Event::Kind::audit_broken: return "audit_broken";
  }
  return "";
}

bool is_cheap(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::connection_refused:
    case Event::Kind::replaced:
    case Event::Kind::protocol_violated:
    case Event::Kind::open_asked:
    case Event::Kind::open_refused:
    case Event::Kind::attach_refused:
    case Event::Kind::renewed:
    case Event::Kind::renew_refused:
    case Event::Kind::enrol_refused: return true;
    default: return false;
  }
}

}  // namespace rdv
