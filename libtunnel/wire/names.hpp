#pragma once
#include "base/result.hpp"
#include "wire/errc.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace tunnel::wire {

/// A checked name of a device or system: `[a-z0-9-]{1,32}`, not beginning or ending with a hyphen.
/// No other string reaches a log, a certificate or a person as a name.
class Name {
 public:
  /// @retval Errc::bad_name
  static Result<Name> parse(std::string_view text);

  const std::string& str() const noexcept { return text_; }
  auto operator<=>(const Name&) const = default;

 private:
  explicit Name(std::string_view text) : text_{text} {}
  std::string text_;
};

enum class Role : std::uint8_t { onsite = 1, master = 2 };
std::string_view to_string(Role role);
Result<Role> parse_role(std::string_view text);

/// Who a device is, as its certificate says it: SAN URI `rdv:SYSTEM:ROLE:NAME`.
struct Identity {
  Name system;
  Role role;
  Name name;

  /// @retval Errc::bad_name  not a URI of this form
  static Result<Identity> parse_uri(std::string_view uri);
  std::string uri() const;
  auto operator<=>(const Identity&) const = default;
};

/// True for valid UTF-8 of at most `chars_max` bytes without control characters: what a person
/// typed, fit to be shown.
bool is_plain_text(std::string_view text, std::size_t chars_max);

/// `text` made plain: control characters and broken UTF-8 replaced by '?', cut to `chars_max` bytes
/// at a character's end.
std::string to_plain_text(std::string_view text, std::size_t chars_max);

}  // namespace tunnel::wire
