#include "event.hpp"

#include "base/log.hpp"

namespace rdv {

namespace log = tunnel::log;

namespace {

void log_device_event(const Event& event) {
  switch (event.kind) {
    case Event::Kind::connected:
      log::info("device connected", {log::device(event.device), log::peer(event.address)});
      break;
    case Event::Kind::connection_refused:
      log::warn("device refused", {log::device(event.device), log::peer(event.address),
                                   log::code(event.code), log::reason(event.text)});
      break;
    case Event::Kind::disconnected:
      log::info("device disconnected", {log::device(event.device), log::reason(event.text)});
      break;
    case Event::Kind::replaced:
      log::warn("device connected anew, its older connection is closed",
                {log::device(event.device), log::peer(event.address)});
      break;
    case Event::Kind::quarantined:
      log::error("two devices use one identity, both are kept out",
                 {log::device(event.device), log::peer(event.address)});
      break;
    case Event::Kind::protocol_violated:
      log::warn("device broke the protocol", {log::device(event.device), log::reason(event.text)});
      break;
    case Event::Kind::server_trouble:
      log::error("the server could not serve a device",
                 {log::device(event.device), log::reason(event.text)});
      break;
    case Event::Kind::renewed: log::info("certificate renewed", {log::device(event.device)}); break;
    case Event::Kind::renew_refused:
      log::warn("renewal refused", {log::device(event.device), log::reason(event.text)});
      break;
    case Event::Kind::enrolled:
      log::info("device enrolled", {log::device(event.device), log::peer(event.address)});
      break;
    case Event::Kind::enrol_refused:
      log::warn("enrolment refused", {log::device(event.device), log::peer(event.address),
                                      log::code(event.code), log::reason(event.text)});
      break;
    case Event::Kind::device_added:
      log::info("device added", {log::device(event.device), log::user(event.user)});
      break;
    case Event::Kind::device_changed:
      log::info("device changed",
                {log::device(event.device), log::user(event.user), log::reason(event.text)});
      break;
    case Event::Kind::device_revoked:
      log::warn("device revoked",
                {log::device(event.device), log::user(event.user), log::reason(event.text)});
      break;
    case Event::Kind::device_removed:
      log::warn("device removed", {log::device(event.device), log::user(event.user)});
      break;
    case Event::Kind::code_replaced:
      log::info("new enrolment code given out", {log::device(event.device), log::user(event.user)});
      break;
    default: break;
  }
}

}  // namespace

void log_event(const Event& event) {
  switch (event.kind) {
    case Event::Kind::open_asked:
      log::debug("master asks for an onsite",
                 {log::master(event.master), log::onsite(event.onsite)});
      break;
    case Event::Kind::open_waits:
      log::info("master waits for an onsite",
                {log::master(event.master), log::onsite(event.onsite)});
      break;
    case Event::Kind::open_refused:
      log::warn("session refused", {log::master(event.master), log::onsite(event.onsite),
                                    log::code(event.code), log::reason(event.text)});
      break;
    case Event::Kind::granted:
      log::info("session granted", {log::session(event.session), log::master(event.master),
                                    log::onsite(event.onsite)});
      break;
    case Event::Kind::relay_started:
      log::info("relay started", {log::session(event.session), log::master(event.master),
                                  log::onsite(event.onsite)});
      break;
    case Event::Kind::interrupted:
      log::warn("session interrupted", {log::session(event.session), log::master(event.master),
                                        log::onsite(event.onsite), log::reason(event.text)});
      break;
    case Event::Kind::resumed:
      log::info("session resumed", {log::session(event.session), log::master(event.master),
                                    log::onsite(event.onsite), log::seconds(event.seconds)});
      break;
    case Event::Kind::closed:
      log::info("session closed",
                {log::session(event.session), log::master(event.master), log::onsite(event.onsite),
                 log::code(event.code), log::reason(event.text), log::seconds(event.seconds),
                 log::rx_bytes(event.from_onsite_bytes), log::tx_bytes(event.from_master_bytes)});
      break;
    case Event::Kind::close_ordered:
      log::info("the administrator closes a session",
                {log::session(event.session), log::user(event.user), log::reason(event.text)});
      break;
    case Event::Kind::attach_refused:
      log::warn("data leg refused",
                {log::session(event.session), log::device(event.device), log::reason(event.text)});
      break;
    default: log_device_event(event); break;
  }
}

}  // namespace rdv
