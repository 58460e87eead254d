#pragma once
#include <cstddef>
#include <string_view>

namespace tunnel {

/// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629, 4), or 0 when there
/// is none.
std::size_t utf8_sequence_bytes(std::string_view text);

/// True for one well-formed sequence that is a control character: C0, DEL, or C1 (U+0080 to
/// U+009F).
bool is_control_character(std::string_view sequence);

}  // namespace tunnel
