#include "wire/names.hpp"

#include "base/utf8.hpp"
#include "wire/limits.hpp"

#include <algorithm>

namespace tunnel::wire {

Result<Name> Name::parse(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  const bool good = !text.empty() && text.size() <= device_name_chars_max && text.front() != '-' &&
                    text.back() != '-' && std::all_of(text.begin(), text.end(), allowed);
  if (!good) return Errc::bad_name;
  return Name{text};
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::onsite: return "onsite";
    case Role::master: return "master";
  }
  return "unknown";
}

Result<Role> parse_role(std::string_view text) {
  if (text == "onsite") return Role::onsite;
  if (text == "master") return Role::master;
  return Errc::bad_value;
}

Result<Identity> Identity::parse_uri(std::string_view uri) {
  std::string_view parts[4];
  for (int i = 0; i < 3; ++i) {
    const auto colon = uri.find(':');
    if (colon == std::string_view::npos) return Errc::bad_name;
    parts[i] = uri.substr(0, colon);
    uri.remove_prefix(colon + 1);
  }
  parts[3] = uri;
  const auto system = Name::parse(parts[1]);
  const auto role = parse_role(parts[2]);
  const auto name = Name::parse(parts[3]);
  if (parts[0] != "rdv" || !system || !role || !name) return Errc::bad_name;
  return Identity{*system, *role, *name};
}

std::string Identity::uri() const {
  return "rdv:" + system.str() + ':' + std::string{to_string(role)} + ':' + name.str();
}

bool is_plain_text(std::string_view text, std::size_t chars_max) {
  if (text.size() > chars_max) return false;
  while (!text.empty()) {
    const auto length = utf8_sequence_bytes(text);
    if (length == 0 || is_control_character(text.substr(0, length))) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string to_plain_text(std::string_view text, std::size_t chars_max) {
  std::string plain;
  while (!text.empty()) {
    const auto length = utf8_sequence_bytes(text);
    const auto taken = std::max<std::size_t>(length, 1);
    const bool good = length > 0 && !is_control_character(text.substr(0, length));
    const auto shown = good ? text.substr(0, length) : std::string_view{"?"};
    if (plain.size() + shown.size() > chars_max) break;
    plain += shown;
    text.remove_prefix(taken);
  }
  return plain;
}

}  // namespace tunnel::wire
