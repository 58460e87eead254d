#pragma once
#include "event.hpp"

#include <string_view>

namespace rdv {

/// What an audit record calls the event, one lower-case word; "" for what is not audited.
std::string_view audit_word(Event::Kind kind);

/// True for what a device or a stranger can cause as often as it likes, without a session coming of
/// it: the audit takes a limited number of them (AuditLimit).
bool is_cheap(Event::Kind kind);

}  // namespace rdv
