#pragma once
#include "device_record.hpp"
#include "wire/messages.hpp"
#include "wire/reasons.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Who may do what. Pure; every answer names the rule that decided.
namespace rdv {

struct Verdict {
  std::string_view rule;  ///< one constant word
  std::optional<tunnel::wire::RefusalCode> refusal{};
  std::string text{};  ///< of a refusal: a sentence for a person

  bool allowed() const { return !refusal; }
};

/// May this device look at the onsites of its system?
Verdict may_list(const DeviceRecord& device);

/// May this master open a session to the device it named? Whether that one is online or busy is not
/// asked here.
///
/// @param asked  the name in the Open
/// @param found  its record, if there is one. One of another system is answered as if there were
/// none.
Verdict may_open(const DeviceRecord& master, const tunnel::wire::Name& asked,
                 const std::optional<DeviceRecord>& found, tunnel::wire::Mode mode);

/// @param asked_seconds  0: not said  @return 1 to max_seconds
std::uint32_t session_seconds(std::uint32_t asked_seconds, std::uint32_t default_seconds,
                              std::uint32_t max_seconds);

}  // namespace rdv
