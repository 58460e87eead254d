#include "cli/console.hpp"

#include "base/files.hpp"
#include "cli/json.hpp"

#include <signal.h>
#include <unistd.h>

namespace device::cli {

using tunnel::write_all;

Console::Console(std::string program, bool json) : program_{std::move(program)}, json_{json} {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is an error of write(), not our death
}

void Console::print(std::string_view text) {
  std::string out{text};
  if (!out.ends_with('\n')) out += '\n';
  if (!write_all(STDOUT_FILENO, out)) broken_ = true;
}

void Console::note(std::string_view text) {
  write_all(STDERR_FILENO, program_ + ": " + std::string{text} + '\n');
}

void Console::complain(const Complaint& complaint, std::string_view code) {
  if (json_) print(json_complaint(complaint, code));
  write_all(STDERR_FILENO, format_complaint(program_, complaint));
}

}  // namespace device::cli
