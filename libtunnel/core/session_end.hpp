#pragma once
#include "wire/reasons.hpp"

#include <string>
#include <string_view>

namespace tunnel::core {

/// How a session ended, or why it never began: a word for programs and a sentence for people.
struct SessionEnd {
  std::string code;  ///< word of a wire::CloseCode or wire::RefusalCode
  std::string text;
  bool failed = true;  ///< false: it ended as somebody wanted
  /// What the other end is told; it makes its own sentence of the code.
  wire::CloseCode close = wire::CloseCode::operator_;
  std::string detail = {};

  /// @param detail  more than the code's own sentence says; "" for nothing
  static SessionEnd from(wire::CloseCode code, std::string_view detail);
  /// @param text  the server's sentence
  static SessionEnd from(wire::RefusalCode code, std::string_view text);
};

}  // namespace tunnel::core
