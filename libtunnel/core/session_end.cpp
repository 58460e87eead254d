#include "core/session_end.hpp"

namespace tunnel::core {

SessionEnd SessionEnd::from(wire::CloseCode code, std::string_view detail) {
  const auto sentence = wire::sentence(code);
  std::string text{sentence};
  if (!detail.empty() && detail != sentence) text.append(": ").append(detail);
  return {std::string{to_string(code)}, std::move(text), !wire::is_orderly(code), code,
          std::string{detail}};
}

SessionEnd SessionEnd::from(wire::RefusalCode code, std::string_view text) {
  return {std::string{to_string(code)},
          text.empty() ? std::string{"the server refused it"} : std::string{text}, true,
          wire::CloseCode::operator_};
}

}  // namespace tunnel::core
