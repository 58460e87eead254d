#pragma once
#include "wire/names.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rdv {

/// One thing that happened and that somebody may ask about later: a log line, and most of them the
/// content of an audit record (audit/words.hpp says which).
struct Event {
  enum class Kind {
    connected,           ///< device, address
    connection_refused,  ///< device, address, code, text
    disconnected,        ///< device, text
    replaced,     ///< device: a newer connection of the same identity; address of the newer one
    quarantined,  ///< device: two of them fight
    protocol_violated,  ///< device, text
    server_trouble,     ///< device, text: the store or a key failed
    open_asked,         ///< master, onsite, mode
    open_waits,         ///< master, onsite
    open_refused,       ///< master, onsite, mode, code, rule, text
    granted,            ///< session, master, onsite, mode, rule, allow, seconds (the limit)
    relay_started,      ///< session, master, onsite
    interrupted,        ///< session, master, onsite, text
    resumed,            ///< session, master, onsite, seconds (of the interruption)
    closed,             ///< session, master, onsite, code, text, seconds, bytes
    attach_refused,     ///< device, session, text
    renewed,            ///< device
    renew_refused,      ///< device, text
    enrolled,           ///< device, address
    enrol_refused,      ///< device if known, address, code, text
    device_added,       ///< device, text, user
    device_changed,     ///< device, text, user
    device_revoked,     ///< device, text, user
    device_removed,     ///< device, user
    code_replaced,      ///< device, user
    close_ordered,      ///< session, text, user
    server_started,     ///< text (its version)
    server_stopped,
    // Of the audit itself, written by it alone:
    left_out,        ///< device, count, seconds: too many of what it causes by itself
    audit_alarm,     ///< text: it cannot be written, or soon cannot
    audit_gap,       ///< count (lost), seconds, text: the alarm is over
    audit_repaired,  ///< count (bytes), text: a line that a crash tore was removed
    audit_broken,    ///< text: what was there before does not end as was noted
  };
  Kind kind;
  std::string device{}, master{}, onsite{};  ///< names; "" where it has none
  std::uint64_t session = 0;
  std::string address{};
  std::string code{};
  std::string rule{};   ///< of the policy, that decided
  std::string allow{};  ///< what may be reached
  std::string mode{};   ///< of a session: "L3", "L2"
  std::string text{};
  std::string user{};  ///< who called, where that is known
  std::uint64_t count = 0;
  std::int64_t seconds = 0;
  std::uint64_t from_onsite_bytes = 0, from_master_bytes = 0;
};

/// Writes the event as a line of the log.
void log_event(const Event& event);

}  // namespace rdv
