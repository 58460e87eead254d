#pragma once
#include "wire/names.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rdv {

/// One thing that happened and that somebody may ask about later: a log line, and the content of an
/// audit record.
struct Event {
  enum class Kind {
    connected,           ///< device, address
    connection_refused,  ///< device, address, code, text
    disconnected,        ///< device, text
    replaced,     ///< device: a newer connection of the same identity; address of the newer one
    quarantined,  ///< device: two of them fight
    protocol_violated,  ///< device, text
    server_trouble,     ///< device, text: the store or a key failed
    open_waits,         ///< master, onsite
    open_refused,       ///< master, onsite, code, text
    granted,            ///< session, master, onsite
    relay_started,      ///< session, master, onsite
    interrupted,        ///< session, master, onsite, text
    resumed,            ///< session, master, onsite, seconds (of the interruption)
    closed,             ///< session, master, onsite, code, text, seconds, bytes
    attach_refused,     ///< device, session, text
    renewed,            ///< device
    renew_refused,      ///< device, text
    enrolled,           ///< device, address
    enrol_refused,      ///< device if known, address, code, text
    device_added,       ///< device
    device_revoked,     ///< device, text
    device_removed,     ///< device
    code_replaced,      ///< device
  };
  Kind kind;
  std::string device{}, master{}, onsite{};  ///< names; "" where it has none
  std::uint64_t session = 0;
  std::string address{};
  std::string code{};
  std::string text{};
  std::int64_t seconds = 0;
  std::uint64_t from_onsite_bytes = 0, from_master_bytes = 0;
};

/// Writes the event as a line of the log.
void log_event(const Event& event);

}  // namespace rdv
