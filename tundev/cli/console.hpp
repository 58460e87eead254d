#pragma once
#include "cli/complaint.hpp"

#include <string>
#include <string_view>

namespace device::cli {

/// Where a command's words go: results to standard output, complaints to standard error. Nothing
/// stays in a buffer, so that whoever reads a pipe sees a line when it is said.
class Console {
 public:
  /// @param program  its name, before every complaint
  /// @param json     complaints are written to standard output too, as objects
  Console(std::string program, bool json);

  bool json() const noexcept { return json_; }
  /// Text as it is; a newline is added unless it ends with one.
  void print(std::string_view text);
  /// "PROGRAM: TEXT" on standard error.
  void note(std::string_view text);
  void complain(const Complaint& complaint, std::string_view code);
  /// Nobody reads standard output any more (closed pipe, terminal gone).
  bool is_broken() const noexcept { return broken_; }

 private:
  std::string program_;
  bool json_;
  bool broken_ = false;
};

}  // namespace device::cli
